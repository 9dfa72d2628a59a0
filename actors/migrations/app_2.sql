-- Makes an app database of version 1 into one of version 2.

CREATE TABLE config_files (
    name     TEXT    PRIMARY KEY,
    settings TEXT    NOT NULL,
    seen_at  INTEGER NOT NULL
) STRICT;
