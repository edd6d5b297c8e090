"""Sessions, sign-in and form tokens for /admin/ alone: public pages set no cookie and read none."""

from django.contrib.auth import middleware as auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.middleware import csrf

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
            response.headers.setdefault("Content-Security-Policy", ADMIN_CSP)
            # the editor shows previews of public pages in a frame of its own
            response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response


class AuthenticationMiddleware(_only_admin(auth.AuthenticationMiddleware)):
    def __call__(self, request):
        if not request.path_info.startswith(ADMIN_PREFIX):
            request.user = AnonymousUser()
        return super().__call__(request)
