-- Version 2 of the app database: what the service actors know. Times are microseconds
-- since the epoch, UTC.

CREATE TABLE sessions (
    session_id    TEXT    PRIMARY KEY,
    actor_name    TEXT    NOT NULL,
    user_identity TEXT,
    client        TEXT,
    created_at    INTEGER NOT NULL,
    closed_at     INTEGER,
    close_reason  TEXT,
    on_behalf_of  TEXT,
    token_id      TEXT,    -- the API token that it was begun with
    expires_at    INTEGER,
    idle_limit_s  REAL,
    used_at       INTEGER  -- when it was last used, after it was created
) STRICT;

CREATE INDEX sessions_open ON sessions (user_identity) WHERE closed_at IS NULL;

CREATE TABLE users (
    name            TEXT    PRIMARY KEY,
    password_hash   TEXT    NOT NULL, -- argon2id, PHC string format
    failed_attempts INTEGER NOT NULL DEFAULT 0, -- begun since the last success
    created_at      INTEGER NOT NULL,
    disabled_at     INTEGER,
    refused_attempts INTEGER NOT NULL DEFAULT 0, -- while locked, since the last success
    tried_at        INTEGER, -- when the last attempt was begun
    lock_ends_at    INTEGER
) STRICT;

CREATE TABLE unknown_attempts ( -- one row: names that no user has cost a write, too
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    attempts INTEGER NOT NULL
) STRICT;

CREATE TABLE user_roles (
    user_name  TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    role       TEXT    NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_name, role)
) STRICT;

CREATE TABLE delegations ( -- who may act for whom
    person     TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    agent      TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    allowed_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (person, agent)
) STRICT;

CREATE TABLE tokens (
    token_id        TEXT    PRIMARY KEY,
    user_name       TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    label           TEXT    NOT NULL,
    digest          BLOB    NOT NULL UNIQUE, -- SHA-256 of the secret
    created_at      INTEGER NOT NULL,
    scopes          TEXT    NOT NULL DEFAULT '[]', -- JSON
    expires_at      INTEGER,
    revoked_at      INTEGER,
    last_used_at    INTEGER
) STRICT;

CREATE TABLE config_secrets ( -- where somebody said whether a setting is secret
    key    TEXT    PRIMARY KEY,
    secret INTEGER NOT NULL
) STRICT;

CREATE TABLE plans (
    plan_id          TEXT    PRIMARY KEY,
    action           TEXT    NOT NULL,
    project_path     TEXT    NOT NULL,
    project_name     TEXT    NOT NULL,
    phase            TEXT    NOT NULL,
    processing_state TEXT    NOT NULL,
    strategy         TEXT,
    error            TEXT,
    tool_name        TEXT,
    last_step        TEXT,
    steps_done       INTEGER NOT NULL DEFAULT 0,
    steps_total      INTEGER,
    changeset_id     TEXT,
    created_by       TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE sandboxes (
    sandbox_id   TEXT    PRIMARY KEY,
    plan_id      TEXT    NOT NULL,
    project_path TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    branch       TEXT    NOT NULL,
    "commit"     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    released_at  INTEGER
) STRICT;

CREATE INDEX sandboxes_by_plan ON sandboxes (plan_id);

CREATE TABLE outbox ( -- written with the change that the event tells; deleted when it is recorded
    event_id   TEXT    PRIMARY KEY,
    producer   TEXT    NOT NULL, -- of the system that tells it
    actor      TEXT    NOT NULL, -- whose event it is
    head       BLOB    NOT NULL, -- its stored bytes, up to the producer's fields
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE intents ( -- changes outside this database that were begun
    intent_id  TEXT    PRIMARY KEY,
    producer   TEXT    NOT NULL, -- of the system that makes it
    actor      TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    binding    TEXT    NOT NULL, -- JSON: who asked for it
    detail     TEXT    NOT NULL, -- JSON: what the actor needs to know whether it was made
    head       BLOB,             -- of the event that tells it, where it can be known before
    created_at INTEGER NOT NULL
) STRICT;
