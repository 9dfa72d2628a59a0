-- Version 2 of the app database: what the service actors know. Times are microseconds
-- since the epoch, UTC. An older one is brought here by migrations/app_*.sql.

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

CREATE TABLE config_files ( -- what was last recorded of each file of settings
    name     TEXT    PRIMARY KEY, -- its absolute path, links not followed
    settings TEXT    NOT NULL,    -- JSON: keyed fingerprint and recorded form by dotted key
    seen_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE plans (
    plan_id          TEXT    PRIMARY KEY,
    action           TEXT    NOT NULL,
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
    updated_at       INTEGER NOT NULL,
    parent_plan_id   TEXT,
    ended_in         TEXT,                       -- phase in which it failed or met a limit
    needs_approval   INTEGER NOT NULL DEFAULT 0,
    approval         TEXT,                       -- granted or denied
    attempts         INTEGER NOT NULL DEFAULT 0, -- executions that were begun
    attempts_max     INTEGER NOT NULL DEFAULT 10
) STRICT;

CREATE INDEX plans_by_parent ON plans (parent_plan_id) WHERE parent_plan_id IS NOT NULL;

CREATE TABLE plan_projects (
    plan_id  TEXT    NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
    position INTEGER NOT NULL, -- from 0, as given
    name     TEXT    NOT NULL, -- unique within the plan
    path     TEXT    NOT NULL,
    kind     TEXT    NOT NULL, -- git or directory
    PRIMARY KEY (plan_id, position)
) STRICT;

CREATE TABLE plan_workers ( -- there as long as a system executes the plan
    plan_id     TEXT    PRIMARY KEY,
    producer    TEXT    NOT NULL, -- of the system that does
    host_pid    INTEGER NOT NULL, -- of its process
    host_started INTEGER,         -- when that began, as in /proc/<pid>/stat
    mark        TEXT,             -- in the environment of each process of the work
    pid         INTEGER,          -- of the work's first process, leader of its group
    pid_started INTEGER,          -- when that began, as in /proc/<pid>/stat
    since_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE plan_decisions (
    decision_id        TEXT    PRIMARY KEY,
    plan_id            TEXT    NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
    parent_decision_id TEXT,
    phase              TEXT    NOT NULL, -- the plan's, then
    question           TEXT    NOT NULL,
    choice             TEXT    NOT NULL,
    rationale          TEXT,
    alternatives       TEXT    NOT NULL, -- JSON list of texts
    checkpoint_id      TEXT,             -- the plan's last one before it
    decided_by         TEXT,
    created_at         INTEGER NOT NULL,
    reverted_by        TEXT              -- attempt_id of the correction that voids it
) STRICT;

CREATE INDEX plan_decisions_by_plan ON plan_decisions (plan_id);

CREATE TABLE plan_checkpoints (
    checkpoint_id TEXT    NOT NULL,
    project_name  TEXT    NOT NULL,
    sandbox_id    TEXT    NOT NULL, -- it is of use as long as that is there
    plan_id       TEXT    NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    "commit"      TEXT    NOT NULL,
    files_changed INTEGER NOT NULL, -- since the checkpoint before
    created_at    INTEGER NOT NULL,
    reverted_by   TEXT,             -- attempt_id of the correction that voids it
    PRIMARY KEY (checkpoint_id, project_name)
) STRICT;

CREATE INDEX plan_checkpoints_by_plan ON plan_checkpoints (plan_id);

CREATE TABLE plan_corrections (
    attempt_id    TEXT    PRIMARY KEY,
    plan_id       TEXT    NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
    decision_id   TEXT    NOT NULL, -- the original one
    mode          TEXT    NOT NULL, -- revert or append
    guidance      TEXT    NOT NULL,
    phase         TEXT    NOT NULL, -- that the plan re-entered
    checkpoint_id TEXT,             -- where the sandbox goes back to; of a revert
    after_attempt INTEGER NOT NULL, -- executions that were begun before
    corrected_by  TEXT,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX plan_corrections_by_plan ON plan_corrections (plan_id);

CREATE TABLE sandboxes ( -- one for each plan and project
    sandbox_id   TEXT    PRIMARY KEY,
    plan_id      TEXT    NOT NULL,
    project_path TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    branch       TEXT,
    "commit"     TEXT,
    created_at   INTEGER NOT NULL,
    released_at  INTEGER,
    project_name TEXT    NOT NULL,
    kept         INTEGER NOT NULL DEFAULT 0 -- survives the plan's end
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
