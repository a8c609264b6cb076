"""
Integrations with other frameworks, one package each.

Each is imported only by the dotted name in a setting or an entry point, or where its framework is installed. Nothing
else imports them.
"""
