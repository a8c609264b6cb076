"""
Gunicorn's settings: ``gunicorn --config python:openlearn.gunicorn openlearn.wsgi``.

What the command line says goes before them. WEB_BIND, WEB_WORKERS and WEB_THREADS differ between places.
"""

import os

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
worker_class = "gthread"
# Workers times threads is the most that the web takes from the connection pools of its processes.
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 60
graceful_timeout = 20
accesslog = None
# A socket in the home directory of whoever starts it: not needed, and not there for system users.
control_socket_disable = True
