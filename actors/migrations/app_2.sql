-- Makes an app database of version 1 into one of version 2.

-- plans

CREATE TABLE plan_projects (
    plan_id  TEXT    NOT NULL REFERENCES plans (plan_id) ON DELETE CASCADE,
    position INTEGER NOT NULL, -- from 0, as given
    name     TEXT    NOT NULL, -- unique within the plan
    path     TEXT    NOT NULL,
    kind     TEXT    NOT NULL, -- git or directory
    PRIMARY KEY (plan_id, position)
) STRICT;

INSERT INTO plan_projects (plan_id, position, name, path, kind)
SELECT plan_id, 0, project_name, project_path, 'git' FROM plans;

ALTER TABLE plans DROP COLUMN project_path;
ALTER TABLE plans DROP COLUMN project_name;
ALTER TABLE plans ADD COLUMN parent_plan_id TEXT;
ALTER TABLE plans ADD COLUMN ended_in TEXT;
ALTER TABLE plans ADD COLUMN needs_approval INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plans ADD COLUMN approval TEXT;
ALTER TABLE plans ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plans ADD COLUMN attempts_max INTEGER NOT NULL DEFAULT 10;

CREATE INDEX plans_by_parent ON plans (parent_plan_id) WHERE parent_plan_id IS NOT NULL;

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

-- sandboxes: branch and commit may be missing now

ALTER TABLE sandboxes RENAME TO sandboxes_1;
DROP INDEX sandboxes_by_plan;

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

INSERT INTO sandboxes (sandbox_id, plan_id, project_path, kind, path, branch, "commit",
    created_at, released_at, project_name)
SELECT sandbox_id, plan_id, project_path, kind, path, branch, "commit", created_at, released_at,
    coalesce((SELECT project.name FROM plan_projects AS project
        WHERE project.plan_id = sandboxes_1.plan_id),
        -- of a deleted plan: the last part of the path
        replace(project_path, rtrim(project_path, replace(project_path, '/', '')), ''))
FROM sandboxes_1;

DROP TABLE sandboxes_1;

CREATE INDEX sandboxes_by_plan ON sandboxes (plan_id);

-- config

CREATE TABLE config_files (
    name     TEXT    PRIMARY KEY,
    settings TEXT    NOT NULL,
    seen_at  INTEGER NOT NULL
) STRICT;

-- auth and sessions

ALTER TABLE sessions ADD COLUMN on_behalf_of TEXT;
ALTER TABLE sessions ADD COLUMN token_id TEXT;
ALTER TABLE sessions ADD COLUMN expires_at INTEGER;
ALTER TABLE sessions ADD COLUMN idle_limit_s REAL;
ALTER TABLE sessions ADD COLUMN used_at INTEGER;

CREATE INDEX sessions_open ON sessions (user_identity) WHERE closed_at IS NULL;

ALTER TABLE users ADD COLUMN disabled_at INTEGER;
ALTER TABLE users ADD COLUMN refused_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN tried_at INTEGER;
ALTER TABLE users ADD COLUMN lock_ends_at INTEGER;

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

CREATE TABLE delegations (
    person     TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    agent      TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    allowed_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (person, agent)
) STRICT;

ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;
ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
