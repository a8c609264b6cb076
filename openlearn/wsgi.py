"""The web as WSGI: ``gunicorn openlearn.wsgi``."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")
application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # the admin and the API are loaded before the first request
