"""Pages for when something is wrong: each says what happened and what to do next, also without a database."""

import errno
import logging
import sys
import traceback
from collections.abc import Callable
from functools import wraps

from django.db import DatabaseError
from django.http import HttpResponse, HttpResponsePermanentRedirect
from django.utils.translation import gettext as _

from yidian.editorial.models import Redirect
from yidian.web.pages import HANT_PREFIX, page_context, render

logger = logging.getLogger("yidian.web")

# Seconds that a browser may follow an old redirect after it was changed.
REDIRECT_KEPT = 3600
_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EIO, errno.EPERM}


def _words(status: int) -> tuple[str, str, str]:
    """Title, what happened, what to do next."""
    back = _("可以在下面搜索，或回到首页。")
    return {
        400: (
            _("这个请求看不懂"),
            _("网址或提交的内容有不合规范的地方。"),
            _("请检查网址，或回到首页重新打开。"),
        ),
        403: (_("不能这样做"), _("这个请求不是从本站页面发来的。"), _("请回到本站页面，再试一次。")),
        404: (_("没有找到这一页"), _("网址可能写错了，或者这一页已经撤下。"), back),
        405: (_("这一页只能阅读"), _("这个网址不接受这样的请求。"), back),
        413: (_("内容太大"), _("提交的内容超过了上限。"), _("请删短一些再提交。")),
        429: (_("请求太多了"), _("短时间内收到了太多请求。"), _("请过一分钟再试。")),
        500: (
            _("我们这边出错了"),
            _("不是您的问题。出错的地方已经记下来了。"),
            _("请过几分钟再试；其他页面仍然可以阅读。"),
        ),
        503: (
            _("暂时不能保存"),
            _("网站现在只能阅读，写入暂时停了。"),
            _("页面仍然可以阅读。请过几分钟再提交。"),
        ),
        507: (
            _("暂时不能保存"),
            _("服务器的磁盘满了，没有保存您刚才提交的内容。"),
            _("页面仍然可以阅读。请过一会儿再提交。"),
        ),
    }[status]


def fault_page(request, status: int) -> HttpResponse:
    """The page for an HTTP status, in the script of the address asked for."""
    hant = request.path_info.startswith(HANT_PREFIX + "/")
    title, message, next_step = _words(status)
    page = page_context("/", hant=hant, title=title, robots="noindex")
    words = {"title": title, "message": message, "next_step": next_step}
    try:
        response = render("error.html", page, None, status=status, **words, status_code=status)
    except Exception:  # noqa: BLE001  (the page of last resort must not be what fails)
        logger.error("error.html could not be rendered")
        plain = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{message}{next_step}</p>"
        response = HttpResponse(plain, status=status)
    if status == 503:
        response["Retry-After"] = "60"
    return response


def read_only(view: Callable) -> Callable:
    """Lets only GET and HEAD reach a page; anything else is answered 405 with a page that helps."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        if request.method not in {"GET", "HEAD"}:
            return not_allowed(request, "GET, HEAD")
        return view(request, *args, **kwargs)

    return guarded


def not_allowed(request, allowed: str) -> HttpResponse:
    response = fault_page(request, 405)
    response["Allow"] = allowed
    return response


def _status_of(error: BaseException | None) -> int:
    """507 for a full disk, 503 when nothing can be written or the database is busy, otherwise 500."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return 507
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            return 503
        if isinstance(error, DatabaseError):
            said = str(error).lower()
            if "disk is full" in said or "no space left" in said:
                return 507
            if any(word in said for word in ("readonly", "read-only", "locked", "unable to open", "disk i/o")):
                return 503
            if any(word in said for word in ("connection", "the database system is", "server closed")):
                return 503
        error = error.__cause__ or error.__context__
    return 500


def server_error(request) -> HttpResponse:
    """Answers an error no view expected, and logs where it happened without what the reader sent."""
    kind, error, trace = sys.exc_info()
    status = _status_of(error)
    # the message of an error can quote what was typed; its type and place cannot
    place = "".join(traceback.format_list(traceback.extract_tb(trace))) if trace else ""
    logger.error("%s answered %s\n%s", kind.__name__ if kind else "unknown error", status, place)
    return fault_page(request, status)


def not_found(request, exception=None) -> HttpResponse:
    """A page that helps, or the way to where the page is now."""
    return _moved(request) or fault_page(request, 404)


def _moved(request) -> HttpResponse | None:
    path, prefix = request.path_info, ""
    if path.startswith(HANT_PREFIX + "/"):
        path, prefix = path.removeprefix(HANT_PREFIX), HANT_PREFIX
    if request.method not in {"GET", "HEAD"}:
        return None
    try:
        target = Redirect.objects.filter(from_path=path).values_list("to_path", flat=True).first()
    except DatabaseError:
        return None
    if target is None:
        return None
    response = HttpResponsePermanentRedirect(prefix + target)
    # without this a browser keeps a permanent redirect for ever, also one that was put right since
    response["Cache-Control"] = f"public, max-age={REDIRECT_KEPT}"
    return response


def from_elsewhere(request) -> bool:
    """Whether a browser says that another site's page sends this."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}


def refused(request) -> HttpResponse | None:
    """The page for what is no form of this site's; None for a POST that may be read."""
    if request.method != "POST":
        return not_allowed(request, "GET, HEAD, POST")
    return fault_page(request, 403) if from_elsewhere(request) else None


def bad_request(request, exception=None) -> HttpResponse:
    return fault_page(request, 400)


def forbidden(request, exception=None) -> HttpResponse:
    return fault_page(request, 403)
