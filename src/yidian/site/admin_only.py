"""Sessions, sign-in and form tokens for /admin/ alone: public pages set no cookie and read none."""

from collections import Counter

from django.contrib.auth import middleware as auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import ERROR, add_message
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.db.models import ProtectedError
from django.http import HttpResponseRedirect
from django.middleware import csrf
from django.utils.datastructures import MultiValueDictKeyError

from yidian.web.faults import bad_request

ADMIN_PREFIX = "/admin/"

# Wagtail's admin ships inline scripts and styles of its own; it is reached by signed-in staff only.
ADMIN_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; frame-src 'self'; frame-ancestors 'self'; "
    "form-action 'self'; base-uri 'self'; object-src 'none'"
)


def _only_admin(middleware):
    """Returns the middleware class, made to pass every request outside /admin/ straight through."""

    class AdminOnly(middleware):
        def __call__(self, request):
            if request.path_info.startswith(ADMIN_PREFIX):
                return super().__call__(request)
            return self.get_response(request)

        def process_view(self, request, *args, **kwargs):
            check = getattr(super(), "process_view", None)
            if check is not None and request.path_info.startswith(ADMIN_PREFIX):
                return check(request, *args, **kwargs)
            return None

    AdminOnly.__name__ = middleware.__name__
    return AdminOnly


CsrfViewMiddleware = _only_admin(csrf.CsrfViewMiddleware)
MessageMiddleware = _only_admin(messages.MessageMiddleware)


class SessionMiddleware(_only_admin(sessions.SessionMiddleware)):
    def __call__(self, request):
        response = super().__call__(request)
        if request.path_info.startswith(ADMIN_PREFIX):
            # the editor shows previews of public pages, which bring their own policy, in a frame of its own
            policy = response.headers.get("Content-Security-Policy", ADMIN_CSP)
            response.headers["Content-Security-Policy"] = policy.replace(
                "frame-ancestors 'none'", "frame-ancestors 'self'"
            )
            response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    def process_exception(self, request, exception):
        # Wagtail's forms read the fields that their own page always posts without asking whether they are there
        if not request.path_info.startswith(ADMIN_PREFIX):
            return None
        if isinstance(exception, MultiValueDictKeyError):
            return bad_request(request, exception)
        if isinstance(exception, ProtectedError):
            # Wagtail asks its index of references, which does not know of the answers: a million of them are imported
            named = Counter(each._meta.verbose_name for each in exception.protected_objects)
            held = "、".join(f"{count} 条{name}" for name, count in named.items())
            add_message(request, ERROR, f"没有删除：还有{held}用到它。请先改掉它们，或者不删除，只撤下。")
            return HttpResponseRedirect(request.get_full_path())
        return None


class AuthenticationMiddleware(_only_admin(auth.AuthenticationMiddleware)):
    def __call__(self, request):
        if not request.path_info.startswith(ADMIN_PREFIX):
            request.user = AnonymousUser()
        return super().__call__(request)
