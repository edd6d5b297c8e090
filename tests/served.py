"""A real server in processes of its own, over a site of two views: nothing of it needs content models."""

import os
import subprocess
import sys
from pathlib import Path

from server_process import ServerProcess

SETTINGS = """
import os
from pathlib import Path
import dj_database_url
YIDIAN_DATA = Path(os.environ["SERVED_DATA"])
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "yidian.pagecache", "yidian.readership"]
DATABASES = {"default": dj_database_url.parse(os.environ["SERVED_DATABASE"])}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        "transaction_mode": "IMMEDIATE", "timeout": 20,
    }
USE_TZ = True
ROOT_URLCONF = "served_urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
YIDIAN_PAGE_EXISTS = "served_urls.page_exists"
"""

URLS = """
import time
from django.http import HttpResponse
from django.urls import include, path

def article(request, slug):
    page = f"<p>{time.time_ns()}</p>" + "<p>大腿抽筋</p>" * 500
    return HttpResponse(page, headers={"X-Page-Tags": f"article:{slug}"})

def slow(request):
    time.sleep(2)
    return HttpResponse("late")

def page_exists(path):
    return "missing" not in path

urlpatterns = [
    path("articles/<slug:slug>/", article),
    path("slow/", slow),
    path("", include("yidian.readership.urls")),
]
"""

RUN = "import sys; from yidian.cli.serve import serve; sys.exit(serve('127.0.0.1', {port}, {workers}))"


class Served(ServerProcess):
    """The site served from ``folder`` until ``stop`` or ``kill``; ``start`` serves the same data again.

    ``patch`` is Python run in each worker at its first request, for the control experiments.
    """

    def __init__(self, folder: Path, *, workers: int = 1, patch: str = "", database: str = ""):
        self.data = folder / "data"
        self.data.mkdir()
        (folder / "served_settings.py").write_text(SETTINGS)
        (folder / "served_urls.py").write_text(URLS + patch)
        self.workers = workers
        self.database = database or f"sqlite:///{self.data / 'db.sqlite3'}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("YIDIAN_")} | {
            "SERVED_DATA": str(self.data),
            "SERVED_DATABASE": self.database,
            "DJANGO_SETTINGS_MODULE": "served_settings",
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        self.django("migrate", "-v0")
        self.exit_status: int | None = None

    def django(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "django", *arguments]
        return subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stdout

    def start(self) -> "Served":
        self.choose_port()
        self.command = [sys.executable, "-c", RUN.format(port=self.port, workers=self.workers)]
        self.begin(stderr=subprocess.DEVNULL)
        return self

    def start_another(self) -> subprocess.Popen:
        return self.popen(stderr=subprocess.PIPE)

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None, timeout=30):
        return self.exchange(method, path, body, {"Accept-Encoding": "gzip", **(headers or {})}, timeout)

    def get(self, path: str, headers: dict | None = None, method: str = "GET"):
        return self.request(method, path, headers=headers)

    def worker_pids(self) -> list[int]:
        """Workers lead process groups of their own, so that a Ctrl+C does not reach them twice; the ticker does not."""
        return [pid for pid in self.family()[1:] if os.getpgid(pid) == pid]

    def stop(self) -> int:
        self.exit_status = super().stop()
        return self.exit_status
