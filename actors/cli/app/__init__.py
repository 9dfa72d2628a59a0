"""``minutebook app``: the services of a ledger's host from the command line, a file per noun."""
