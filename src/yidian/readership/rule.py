"""What counts as one reading of a page. docs/operators/views.md says the same to operators.

1. A reading is one event that a reader's browser sends by itself when a page has been in view for a second.
   The browser makes the event's id, a UUIDv7, so sending it again changes nothing.
2. The id carries its time. An event more than 24 hours from the server's clock is refused, so ids need
   remembering for three days only.
3. Programs do not read. A User-Agent that is empty or names a robot, a preview, a script or a test tool is
   not counted.
4. A page fetched in advance has not been read: Sec-Purpose, Purpose or X-Moz saying prefetch or prerender.
5. Only pages that exist are counted; 简体 and 繁體 are the same page.
6. Another site cannot count for ours: the event must come from a page of the same origin.
7. One address counts at most 240 readings a minute in one process. The addresses are in memory for that
   minute and are never written. Requests from the server itself are not limited.

Nothing personal is kept, so Sec-GPC and Do Not Track change nothing: no address, no User-Agent, no cookie
is stored.
"""

import ipaddress
import re
import threading
import time
import uuid

ROBOT = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[/;_-]|robot|crawl|spider|slurp|archiver|scrap[ye]|preview|externalhit|fetch|validator|monitor"
    r"|uptime|pingdom|curl|wget|python|httpx|aiohttp|okhttp|go-http|java/|libwww|\bperl|\bruby|axios|\bnode\b|postman"
    r"|headless|phantomjs|puppeteer|playwright|selenium|webdriver|lighthouse|pagespeed|gtmetrix|nagios|zabbix|\bwrk"
    r"|vegeta|k6/",  # Cubot is a make of phones
    re.IGNORECASE,
)
SECTIONS = "conditions|articles|questions|guides|doctors|hospitals|departments|body-parts"
PAGE = re.compile(rf"(?:/zh-hant)?(/(?:{SECTIONS})/[a-z0-9-]{{1,100}}/)")
EVENT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MAX_DRIFT = 24 * 3600  # seconds; phones with a wrong clock lose their events, retries of a day are still recognised
PER_MINUTE = 240  # a ward behind one address opens four pages a second; a script opens thousands
ADDRESSES = 100_000  # remembered in one minute; about 10 MB

_lock = threading.Lock()
_minute = 0
_counts: dict[str, int] = {}


def is_robot(user_agent: str) -> bool:
    return not user_agent.strip() or ROBOT.search(user_agent) is not None


def is_prefetch(*purposes: str) -> bool:
    """``purposes`` are the values of Sec-Purpose, Purpose and X-Moz, as far as they were sent."""
    return any(word in purpose.lower() for purpose in purposes for word in ("prefetch", "prerender", "preview"))


def page_counted(path: str) -> str | None:
    """The page that a reading of ``path`` counts for, or None when readings of it are not counted."""
    match = PAGE.fullmatch(path)
    return match[1] if match else None


def event_id(text: str) -> uuid.UUID | None:
    """The id in ``text``, or None when it is not a UUIDv7 in its usual form."""
    return uuid.UUID(text) if EVENT.fullmatch(text) else None


def in_time(event: uuid.UUID, now: float) -> bool:
    """Whether the event was made less than 24 hours from ``now`` (seconds since 1970), before or after."""
    return abs((event.int >> 80) / 1000 - now) <= MAX_DRIFT


def within_limit(address: str, now: float | None = None) -> bool:
    """Notes one reading from ``address`` and answers whether it is within this minute's limit."""
    global _minute
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return True  # a Unix socket has no address
    if parsed.is_loopback:
        return True
    if parsed.version == 6:
        # One household or phone has a whole /64 to choose addresses from.
        address = str(ipaddress.ip_network((address, 64), strict=False).network_address)
    minute = int((time.time() if now is None else now) // 60)
    with _lock:
        if minute != _minute:
            _minute = minute
            _counts.clear()
        seen = _counts.get(address, 0)
        if seen >= PER_MINUTE:
            return False
        if seen or len(_counts) < ADDRESSES:
            _counts[address] = seen + 1
        return True
