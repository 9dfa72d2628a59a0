"""``python -m minutebook.actors.cli``: the same as ``minutebook``."""

from minutebook.actors.cli.main import main

main()
