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

INSERT INTO tree (size, hashes) VALUES (0, x'');
