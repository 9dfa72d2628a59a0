-- Version 3 of the ledger. The columns of `entries` and their order are public. An older one is
-- brought here by ../migrations/ledger_*.sql.
--
-- Open it with another copy of SQLite (the sqlite3 module of Python is one) only from another
-- process than the one that writes it: two copies in one process take away each other's locks.

CREATE TABLE entries (
    log_index      INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    occurred_at    INTEGER NOT NULL, -- microseconds since the epoch, UTC
    recorded_at    INTEGER NOT NULL, -- microseconds since the epoch, UTC
    user_identity  TEXT,
    on_behalf_of   TEXT,
    session_id     TEXT,
    correlation_id TEXT,
    causation_id   TEXT,
    traceparent    TEXT,
    plan_id        TEXT,
    project_names  TEXT    NOT NULL, -- JSON list of text
    outcome        TEXT    NOT NULL,
    outcome_reason TEXT,
    severity       TEXT    NOT NULL,
    producer       TEXT    NOT NULL,
    producer_seq   INTEGER NOT NULL,
    hash_version   INTEGER NOT NULL,
    leaf_hash      BLOB    NOT NULL, -- 32 bytes
    body           BLOB    NOT NULL  -- the stored bytes
) STRICT;

CREATE UNIQUE INDEX entries_by_id ON entries (id);

-- One index a filter of `minutebook log`; each also orders by log_index, the rowid. The
-- partial ones cost nothing for entries that lack the field.
CREATE INDEX entries_by_type ON entries (type);
CREATE INDEX entries_by_time ON entries (occurred_at);
-- By blocks of 16,384 entries: what is added lies close together, however many users there are.
-- With the time, so that a filter by user and time leaves out the others' rows unread.
CREATE INDEX entries_by_user ON entries (log_index >> 14, user_identity, log_index, occurred_at)
    WHERE user_identity IS NOT NULL;
CREATE INDEX entries_by_session ON entries (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX entries_by_correlation ON entries (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX entries_by_plan ON entries (plan_id) WHERE plan_id IS NOT NULL;
CREATE INDEX entries_by_trouble ON entries (outcome) WHERE outcome <> 'success';

-- Which blocks have an entry of some span of time: each block's earliest and latest entry are its
-- ends here.
CREATE INDEX entries_by_block ON entries (log_index >> 14, occurred_at);

CREATE TABLE ledger (
    ledger_id  TEXT    NOT NULL, -- 32 hexadecimal digits, drawn when the file was made
    created_at INTEGER NOT NULL  -- microseconds since the epoch, UTC
) STRICT;

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: entries are never changed');
END;

CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
WHEN NOT EXISTS (
    SELECT 1 FROM pruned WHERE log_index = OLD.log_index
    AND told_at = (SELECT max(log_index) FROM entries)
)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: entries are never deleted');
END;

-- INSERT OR REPLACE deletes the row in its way without firing the trigger above.
CREATE TRIGGER entries_only_grow BEFORE INSERT ON entries
WHEN NEW.log_index IS NOT (SELECT coalesce(max(log_index), -1) + 1 FROM entries)
    OR EXISTS (SELECT 1 FROM entries WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM pruned WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: this index or id is taken');
END;

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its identity is never changed');
END;

CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its identity is never deleted');
END;

-- The Merkle tree over the leaf hashes, in order: its compact range, in one row.
CREATE TABLE tree (
    size   INTEGER NOT NULL, -- how many leaves it has: all entries
    hashes BLOB    NOT NULL  -- 32 bytes for each bit of the size, the largest subtree's first
) STRICT;

-- Roots of complete subtrees of 256 leaves and more: the leaf hashes tell the smaller ones.
CREATE TABLE tree_nodes (
    level    INTEGER NOT NULL, -- 8 and more: it has 1 << level leaves
    position INTEGER NOT NULL, -- from 0, counted in subtrees of the level
    hash     BLOB    NOT NULL, -- 32 bytes
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;

-- What the log has signed: its checkpoints, and the announcements of its keys.
CREATE TABLE signed_notes (
    number    INTEGER PRIMARY KEY, -- from 0, without holes
    kind      TEXT    NOT NULL,    -- checkpoint or key
    size      INTEGER NOT NULL,    -- how many entries there were
    signed_at INTEGER NOT NULL,    -- microseconds since the epoch, UTC
    producer  TEXT    NOT NULL,    -- whose writer signed it
    note      TEXT    NOT NULL     -- https://c2sp.org/signed-note
) STRICT;

CREATE TRIGGER tree_only_grows BEFORE UPDATE ON tree WHEN NEW.size < OLD.size
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its tree never shrinks');
END;

CREATE TRIGGER tree_is_never_deleted BEFORE DELETE ON tree
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its tree is never deleted');
END;

CREATE TRIGGER tree_nodes_are_never_changed BEFORE UPDATE ON tree_nodes
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its tree is never changed');
END;

CREATE TRIGGER tree_nodes_are_never_deleted BEFORE DELETE ON tree_nodes
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: its tree is never deleted');
END;

CREATE TRIGGER signed_notes_are_never_changed BEFORE UPDATE ON signed_notes
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: what was signed is never changed');
END;

CREATE TRIGGER signed_notes_are_never_deleted BEFORE DELETE ON signed_notes
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: what was signed is never deleted');
END;

CREATE TRIGGER signed_notes_only_grow BEFORE INSERT ON signed_notes
WHEN NEW.number IS NOT (SELECT coalesce(max(number), -1) + 1 FROM signed_notes)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: this number is taken');
END;

-- What stays of entries that were pruned. Each is told by an `audit.pruned`, added in the same
-- transaction, that carries a signed digest of its rows here.
CREATE TABLE pruned (
    log_index    INTEGER PRIMARY KEY,
    told_at      INTEGER NOT NULL, -- log_index of that `audit.pruned`
    id           TEXT    NOT NULL,
    recorded_at  INTEGER NOT NULL,
    producer     TEXT    NOT NULL,
    producer_seq INTEGER NOT NULL,
    next_seq     INTEGER NOT NULL, -- the number after it: an `audit.gap` may stand for several
    leaf_hash    BLOB    NOT NULL  -- 32 bytes
) STRICT;

CREATE UNIQUE INDEX pruned_by_id ON pruned (id);
CREATE INDEX pruned_by_told_at ON pruned (told_at);

-- Only with what tells it: the newest entry is the `audit.pruned` that says so, rows come in order
-- up to the last that it names, and what is written down is what the entry is. What explains the
-- ledger itself always stays.
CREATE TRIGGER pruned_is_told BEFORE INSERT ON pruned
WHEN NOT EXISTS (
    SELECT 1 FROM entries AS told, entries AS gone
    WHERE told.log_index = NEW.told_at AND told.type = 'audit.pruned'
    AND told.log_index = (SELECT max(log_index) FROM entries)
    AND NEW.log_index <= CAST(told.body AS TEXT) ->> '$.payload.last_index'
    AND NEW.log_index > coalesce(
        (SELECT max(log_index) FROM pruned WHERE told_at = NEW.told_at), -1)
    AND gone.log_index = NEW.log_index AND gone.log_index < told.log_index
    AND gone.id = NEW.id AND gone.recorded_at = NEW.recorded_at
    AND gone.producer = NEW.producer AND gone.producer_seq = NEW.producer_seq
    AND gone.leaf_hash = NEW.leaf_hash
    AND gone.type NOT IN ('audit.pruned', 'audit.sealed', 'audit.archived', 'hold.placed',
        'hold.lifted', 'subject.forgotten')
)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: what is pruned is told');
END;

CREATE TRIGGER pruned_is_never_changed BEFORE UPDATE ON pruned
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: what was pruned is never changed');
END;

CREATE TRIGGER pruned_is_never_deleted BEFORE DELETE ON pruned
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: what was pruned is never deleted');
END;

INSERT INTO tree (size, hashes) VALUES (0, x'');
