"""
The database of the project: the address that the environment names, or an embedded server.

``programs`` finds PostgreSQL in the wheel and runs it, ``embedded`` shares one server between the processes of a
checkout, ``postgresql`` is the Django backend that starts that server at the first connection.
"""
