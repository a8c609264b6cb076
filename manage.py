#!/usr/bin/env python3
"""The command line of the project: ``manage.py help`` lists the commands."""

import gc
import os
import sys

INTERRUPTED = 130
OLDEST = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST:
        sys.exit(
            "OpenLearn Scheduler needs Python {}.{} or newer; this is {}.{} ({}).\n"
            "Make the virtual environment with a newer one, such as python3.11 -m venv .venv.".format(
                *OLDEST, *sys.version_info[:2], sys.executable
            )
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openlearn.settings")
    # Until the apps are loaded: classes and functions stay, and searching them for garbage takes a tenth of the start.
    gc.disable()
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(
            f"{error}: the dependencies are missing here. Install them with\n"
            "  python3 -m venv .venv && .venv/bin/pip install -r requirements.txt\n"
            "and start this file with .venv/bin/python."
        )
    from django.core.exceptions import ImproperlyConfigured

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
