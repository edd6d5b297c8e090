"""The beacon: where browsers report that a page was read, and where a page asks how often it was."""

import json
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from . import rule
from .buffer import buffer
from .models import counts_for

BODY_BYTES = 512  # a page's path and an id need 180


@csrf_exempt  # the beacon carries no authority; what other sites send is refused by its origin
@require_http_methods(["GET", "HEAD", "POST"])
def views(request: HttpRequest) -> JsonResponse:
    """POST ``{"page", "event"}`` answers 202 when the reading will be counted; GET ``?page=`` answers
    ``{"count"}``.

    200 with ``counted: false`` for robots and prefetching, 400 for what cannot be read, 403 for other sites,
    429 over the limit, 503 when the database has been away for long. The same event may be sent again at
    any time.
    """
    response = _receive(request) if request.method == "POST" else _show(request)
    response["Cache-Control"] = "no-store"
    return response


def _show(request: HttpRequest) -> JsonResponse:
    page = rule.page_counted(request.GET.get("page", ""))
    if page is None:
        return _refuse(400, "page 不是可计数的页面地址，例如 /articles/da-tui-chou-jin/。")
    return JsonResponse({"count": counts_for([page])[page]})


def _receive(request: HttpRequest) -> JsonResponse:
    if not getattr(settings, "YIDIAN_PAGE_EXISTS", None):
        raise ImproperlyConfigured("YIDIAN_PAGE_EXISTS must name a function page_exists(path) -> bool")
    if not _same_origin(request):
        return _refuse(403, "只接受本站页面发来的计数。")
    headers = request.headers
    if rule.is_robot(headers.get("User-Agent", "")):
        return JsonResponse({"counted": False, "reason": "robot"})
    if rule.is_prefetch(*(headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))):
        return JsonResponse({"counted": False, "reason": "prefetch"})
    body = request.read(BODY_BYTES + 1)
    if len(body) > BODY_BYTES:
        return _refuse(400, f"内容太长，最多 {BODY_BYTES} 字节。")
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return _refuse(400, '内容不是 JSON，应为 {"page": "…", "event": "…"}。')
    if not isinstance(sent, dict) or set(sent) != {"page", "event"}:
        return _refuse(400, "内容应当只有 page 和 event 两项。")
    if not all(isinstance(value, str) for value in sent.values()):
        return _refuse(400, "page 和 event 都应当是文字。")
    page = rule.page_counted(sent["page"])
    if page is None:
        return _refuse(400, "page 不是可计数的页面地址，例如 /articles/da-tui-chou-jin/。")
    event = rule.event_id(sent["event"])
    if event is None:
        return _refuse(400, "event 应当是小写的 UUIDv7。")
    if not rule.in_time(event, time.time()):
        return _refuse(400, "event 的时间与服务器相差超过 24 小时，请校准设备时间。")
    if not rule.within_limit(_client_address(request)):
        response = _refuse(429, "计数太频繁，请一分钟后再试。")
        response["Retry-After"] = "60"
        return response
    if not buffer.record(event, page):
        response = _refuse(503, "暂时无法计数，请稍后再试。")
        response["Retry-After"] = "30"
        return response
    return JsonResponse({"counted": True}, status=202)


def _same_origin(request: HttpRequest) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    # In-app browsers older than Sec-Fetch-Site still send Origin with every POST that another site starts.
    return origin is None or urlsplit(origin).netloc == request.get_host()


def _client_address(request: HttpRequest) -> str:
    if settings.SECURE_PROXY_SSL_HEADER:
        # Behind a proxy (YIDIAN_BEHIND_PROXY) the last entry is the one our own proxy wrote.
        return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return request.META.get("REMOTE_ADDR", "")


def _refuse(status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status, json_dumps_params={"ensure_ascii": False})
