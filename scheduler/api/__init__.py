"""
The API: everything that can be done in the admin, over HTTP, under ``/api/v1/scheduler/``.

It is a guest in the project: every view brings its own authentication, permissions, throttles, renderer and error
handler, and the project's ``REST_FRAMEWORK`` settings are neither needed nor changed.

A view checks the permission, reads the request into a shape of ``shapes`` (wrong types, unknown names and unknown query
parameters are rejected by name), makes one call into ``scheduler.services`` and responds. Only ``problems`` turns
errors of the services into problem documents (RFC 9457).
"""
