"""Where entries are kept: the port, the SQLite ledger, its reader, and one for tests."""
