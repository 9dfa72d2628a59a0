"""The command line ``minutebook``: one module a command, and how entries are shown."""
