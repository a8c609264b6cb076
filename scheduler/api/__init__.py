"""
The API: everything that can be done in the admin, over HTTP, under ``/api/v1/scheduler/``.

A guest in somebody's project: every view brings its own authentication, permissions, throttles, renderer and error
handler, and none of the project's ``REST_FRAMEWORK`` settings are needed or changed.

A view checks the permission, reads the request into a shape of ``shapes`` (wrong types, unknown names and unknown
query parameters are refused by name), makes one call into ``scheduler.services`` and answers. What the services refuse
becomes a problem document (RFC 9457) in ``problems``, and nowhere else.
"""
