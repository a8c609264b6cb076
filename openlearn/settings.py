"""
Settings of the project. Environment variables hold the differences between environments (docs/operations.md).

Importing it neither connects nor starts a server.
"""

from __future__ import annotations

import os
import warnings
from datetime import timedelta
from pathlib import Path

import django

from openlearn import logs, postgres
from openlearn.environment import Environment, scheduler_settings, scraping_settings, secret_key
from scheduler.api import openapi

env = Environment(os.environ)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("OPENLEARN_DATA_DIR") or BASE_DIR / ".data").resolve()

DEBUG = env.flag("DEBUG")
DATABASES = postgres.databases(env, data_dir=DATA_DIR)
SECRET_KEY = secret_key(env, data_dir=DATA_DIR, may_generate=DEBUG or "EMBEDDED" in DATABASES["default"])
# Read, never written with: former keys, until what was sealed and signed with them is renewed.
SECRET_KEY_FALLBACKS = list(env.words("SECRET_KEY_FALLBACKS"))
ALLOWED_HOSTS = list(env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")))
CSRF_TRUSTED_ORIGINS = list(env.words("CSRF_TRUSTED_ORIGINS"))

INSTALLED_APPS = [
    "openlearn.admin_loading.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_apscheduler",
    "scheduler",
    "openlearn",
    "openlearn.scraping",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "openlearn.urls"
WSGI_APPLICATION = "openlearn.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = env.language("LANGUAGE_CODE", "en-us")
# Those that our pages are translated into: what a browser asks for is one of them, or the one above.
LANGUAGES = [("en", "English"), ("es", "Español")]
if LANGUAGE_CODE.partition("-")[0] not in dict(LANGUAGES):
    LANGUAGES.append((LANGUAGE_CODE, LANGUAGE_CODE))
LOCALE_PATHS = [BASE_DIR / "openlearn" / "locale"]
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")

# The admin's files come from the installed packages as they are: nothing has to be collected before the first page.
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)

# Whatever gets into a page can neither load nor run anything from elsewhere, nor anything that stands inside the page.
CONTENT_POLICY = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
}
if django.VERSION >= (6, 0):
    MIDDLEWARE.insert(1, "django.middleware.csp.ContentSecurityPolicyMiddleware")
    SECURE_CSP = CONTENT_POLICY
else:
    MIDDLEWARE.insert(1, "csp.middleware.CSPMiddleware")
    CONTENT_SECURITY_POLICY = {"DIRECTIVES": CONTENT_POLICY}

# Served by https, directly or behind a proxy that says so.
HTTPS = env.flag("HTTPS")
SECURE_SSL_REDIRECT = HTTPS
# Orchestrators ask on the inside, by http, and take a redirect for good health.
SECURE_REDIRECT_EXEMPT = [r"^api/v1/scheduler/health(/|$)"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "scheduler.admin.errors.csrf_failure"
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 30 * 24 * 3600) if HTTPS else 0
if env.flag("TRUST_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Whether the other names of the domain are served by https as well is not ours to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# API tokens are kept as hashes. Each says how long it is good for; this is what holds when it does not.
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "ols_"}
SPECTACULAR_SETTINGS = {**openapi.SETTINGS, "SERVE_INCLUDE_SCHEMA": False}

# Alerts by mail need a server. Without one, Django before 6.1 prints mails, and later ones refuse to send.
_mail_host = env.text("EMAIL_HOST")
_mail = {
    "host": _mail_host,
    "port": env.integer("EMAIL_PORT", 25, least=1, most=65_535),
    "username": env.text("EMAIL_HOST_USER"),
    "password": env.text("EMAIL_HOST_PASSWORD"),
    "use_tls": env.flag("EMAIL_USE_TLS"),
    "timeout": 20,
}
_mail_backend = f"django.core.mail.backends.{'smtp' if _mail_host else 'console'}.EmailBackend"
if django.VERSION >= (6, 1):
    # An installation may do without mail: then sending fails with a sentence, and the check has no warning of it.
    MAILERS = {"default": {"BACKEND": _mail_backend, "OPTIONS": _mail}} if _mail_host else {}
    SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "mail.W001"]
else:
    EMAIL_BACKEND = _mail_backend
    EMAIL_HOST, EMAIL_PORT = _mail_host, _mail["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["username"], _mail["password"]
    EMAIL_USE_TLS, EMAIL_TIMEOUT = _mail["use_tls"], _mail["timeout"]
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL") or "scheduler@localhost"
SERVER_EMAIL = DEFAULT_FROM_EMAIL
ADMINS = [address if django.VERSION >= (6, 0) else (address, address) for address in env.words("ADMINS")]

LOGGING = logs.configuration(
    form=env.text("LOG_FORMAT", "text", among=("text", "json")),
    level=env.text("LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")),
)

# The broker of executors such as “celery:scrape”. Celery reads all settings that begin with CELERY_.
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True

SCHEDULER = scheduler_settings(
    env,
    database="direct" if "direct" in DATABASES else "default",
    digest_parts=("openlearn.scraping.services.digest.sources_without_new_documents",),
)
SCRAPING = scraping_settings(env)
