"""All settings, driven by the environment; docs/operators/settings.md explains each for operators."""

import os
import secrets
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

PACKAGE = Path(__file__).resolve().parent.parent
YIDIAN_DATA = Path(os.environ.get("YIDIAN_DATA", "var")).resolve()


def _flag(name: str, default: str) -> bool:
    return os.environ.get(name, default).strip().lower() in {"1", "true", "yes", "on"}


def _secret_key() -> str:
    """The operator's key, or one made at the first start and kept beside the data, readable by its owner only."""
    if key := os.environ.get("YIDIAN_SECRET_KEY"):
        return key
    path = YIDIAN_DATA / "secret-key"
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        pass
    try:
        YIDIAN_DATA.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key := secrets.token_urlsafe(50))
        return key
    except FileExistsError:  # another process of the first start was quicker
        return path.read_text("ascii").strip()
    except OSError:  # a read-only disk: pages can still be read, sessions end with the process
        return secrets.token_urlsafe(50)


SECRET_KEY = _secret_key()
DEBUG = _flag("YIDIAN_DEBUG", "off")

# The address readers use, for canonical links, feeds and QR codes.
YIDIAN_ORIGIN = os.environ.get("YIDIAN_ORIGIN", f"http://127.0.0.1:{os.environ.get('PORT', '8000')}").rstrip("/")
_origin_host = YIDIAN_ORIGIN.partition("://")[2].rpartition(":")[0] or YIDIAN_ORIGIN.partition("://")[2]
ALLOWED_HOSTS = [host for host in os.environ.get("YIDIAN_ALLOWED_HOSTS", "").replace(",", " ").split() if host] or [
    _origin_host,
    "127.0.0.1",
    "localhost",
    "[::1]",
]
YIDIAN_SITE_NAME = os.environ.get("YIDIAN_SITE_NAME", "医典")
_https = YIDIAN_ORIGIN.startswith("https://")
CSRF_TRUSTED_ORIGINS = [YIDIAN_ORIGIN]

INSTALLED_APPS = [
    "yidian.web",
    "yidian.exchange",
    "yidian.related",
    "yidian.answers",
    "yidian.encyclopedia",
    "yidian.editorial",
    "yidian.evidence",
    "yidian.people",
    "yidian.terms",
    "yidian.publication",
    "yidian.search",
    "yidian.pagecache",
    "yidian.readership",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_tasks",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "yidian.site.policy.CSPMiddleware",
    "yidian.site.admin_only.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "yidian.site.admin_only.CsrfViewMiddleware",
    "yidian.site.admin_only.AuthenticationMiddleware",
    "yidian.site.admin_only.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "yidian.site.urls"
WSGI_APPLICATION = "yidian.site.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "jinja2",
        "DIRS": [PACKAGE / "web" / "templates", PACKAGE / "web" / "components"],
        "APP_DIRS": False,
        "OPTIONS": {"environment": "yidian.web.jinja.environment"},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# SQLite keeps an acknowledged write through a power loss only with WAL + FULL; with the often advised NORMAL,
# 229 of 3,694 acknowledged commits were lost. IMMEDIATE takes the write lock at BEGIN, so that a transaction
# that reads first never fails halfway. An operator's weaker choice is refused at start (yidian.site.checks).
_SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=268435456; "
    "PRAGMA cache_size=-32000; PRAGMA temp_store=MEMORY;",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}
_database = dj_database_url.parse(
    os.environ.get("DATABASE_URL") or f"sqlite:///{YIDIAN_DATA / 'yidian.sqlite3'}", conn_max_age=600
)
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = _SQLITE_OPTIONS | _database.get("OPTIONS", {})
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
WAGTAIL_CONTENT_LANGUAGES = [("zh-hans", "简体中文")]
WAGTAILADMIN_PERMITTED_LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "site" / "locale"]
TIME_ZONE = os.environ.get("YIDIAN_TIME_ZONE", "Asia/Shanghai")
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [PACKAGE / "web" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
WHITENOISE_USE_FINDERS = True  # no collectstatic: the files are served from where the packages keep them
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_URL = "/media/"
MEDIA_ROOT = YIDIAN_DATA / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o644
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # a long article's StreamField posts thousands of fields

WAGTAIL_SITE_NAME = YIDIAN_SITE_NAME
WAGTAILADMIN_BASE_URL = YIDIAN_ORIGIN
WAGTAILIMAGES_IMAGE_MODEL = "editorial.Illustration"
WAGTAILIMAGES_IMAGE_FORM_BASE = "yidian.editorial.picture_form.PictureForm"
WAGTAILIMAGES_EXTENSIONS = ["jpg", "jpeg", "png", "webp", "svg"]
WAGTAILIMAGES_MAX_UPLOAD_SIZE = 10 * 1024 * 1024
WAGTAILIMAGES_MAX_IMAGE_PIXELS = 40_000_000
WAGTAIL_ENABLE_UPDATE_CHECK = False  # public and admin pages call no other host
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None
# a full address of this site stays as written; turned into a page link it would not pass the gate
WAGTAILADMIN_EXTERNAL_LINK_CONVERSION = ""
WAGTAIL_PASSWORD_RESET_ENABLED = False  # without mail: `yidian editor NAME` gives a new password
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database", "AUTO_UPDATE": False}}
WAGTAILADMIN_RICH_TEXT_EDITORS = {
    "default": {
        "WIDGET": "wagtail.admin.rich_text.DraftailRichTextArea",
        "OPTIONS": {"features": ["bold", "italic", "ol", "ul", "link"]},
    }
}
TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}

LOGIN_URL = "wagtailadmin_login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin/"  # public pages never see a cookie
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _flag("YIDIAN_BEHIND_PROXY", "off") else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],  # the admin's own, looser policy is set in site.admin_only
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [NONE],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}

YIDIAN_PAGE_EXISTS = "yidian.web.queries.page_exists"
YIDIAN_PREVIEW = "yidian.web.preview.render"
# the search engine, whether editors see what it found nothing for, and what tells it of everything public
YIDIAN_SEARCH = os.environ.get("YIDIAN_SEARCH", "tantivy")
YIDIAN_EMBEDDER = os.environ.get("YIDIAN_EMBEDDER", "")
YIDIAN_EMBEDDER_KEY = os.environ.get("YIDIAN_EMBEDDER_KEY", "")
YIDIAN_EMBEDDER_MODEL = os.environ.get("YIDIAN_EMBEDDER_MODEL", "")
YIDIAN_UNANSWERED = _flag("YIDIAN_UNANSWERED", "on")
YIDIAN_SEARCHED = "yidian.site.searched"
# what is told of each change once the index has it: `indexed(changes)`
YIDIAN_INDEXED = "yidian.related.upkeep"

# Nothing that a reader types reaches a log: request paths and queries are left out, errors keep their traceback.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},  # without any handler Python prints warnings all the same
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django.request": {"handlers": ["nowhere"], "propagate": False},
        "django.security": {"handlers": ["nowhere"], "propagate": False},
        "yidian": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}
