"""The web as WSGI: ``gunicorn openlearn.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")
application = get_wsgi_application()
