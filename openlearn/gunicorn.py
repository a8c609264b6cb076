"""
Gunicorn's settings: ``gunicorn --config python:openlearn.gunicorn openlearn.wsgi``.

The command line overrides them. WEB_BIND, WEB_WORKERS and WEB_THREADS differ between places.
"""

import os

from openlearn.environment import Environment

env = Environment(os.environ)
bind = env.text("WEB_BIND", "127.0.0.1:8000")
workers = env.integer("WEB_WORKERS", 2, least=1, most=1000)
worker_class = "gthread"
# Workers times threads is the most that the web takes from the connection pools of its processes.
threads = env.integer("WEB_THREADS", 8, least=1, most=1000)
timeout = 60
graceful_timeout = 20
accesslog = None
# A socket in the home directory of whoever starts it: not needed, and not there for system users.
control_socket_disable = True
