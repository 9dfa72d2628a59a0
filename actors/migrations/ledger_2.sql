-- Makes a ledger of version 1 into one of version 2. The tree is grown over its entries when it
-- is opened for writing.

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

DROP TRIGGER entries_are_never_deleted;

CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
WHEN NOT EXISTS (
    SELECT 1 FROM pruned WHERE log_index = OLD.log_index
    AND told_at = (SELECT max(log_index) FROM entries)
)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: entries are never deleted');
END;

DROP TRIGGER entries_only_grow;

-- INSERT OR REPLACE deletes the row in its way without firing the trigger above.
CREATE TRIGGER entries_only_grow BEFORE INSERT ON entries
WHEN NEW.log_index IS NOT (SELECT coalesce(max(log_index), -1) + 1 FROM entries)
    OR EXISTS (SELECT 1 FROM entries WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM pruned WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append only: this index or id is taken');
END;

INSERT INTO tree (size, hashes) VALUES (0, x'');
