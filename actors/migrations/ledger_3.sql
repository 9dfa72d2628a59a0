-- Makes a ledger of version 2 into one of version 3.

DROP INDEX entries_by_user;

-- By blocks of 16,384 entries: what is added lies close together, however many users there are.
-- With the time, so that a filter by user and time leaves out the others' rows unread.
CREATE INDEX entries_by_user ON entries (log_index >> 14, user_identity, log_index, occurred_at)
    WHERE user_identity IS NOT NULL;

-- Which blocks have an entry of some span of time: each block's earliest and latest entry are its
-- ends here.
CREATE INDEX entries_by_block ON entries (log_index >> 14, occurred_at);
