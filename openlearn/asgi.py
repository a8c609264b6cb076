"""The web as ASGI, for servers that speak it."""

import os
from importlib import import_module

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")
application = get_asgi_application()
import_module(settings.ROOT_URLCONF)  # the admin and the API are loaded before the first request
