-- Makes a ledger of version 2 into one of version 3.

DROP INDEX entries_by_user;

-- With the time, so that a filter by user and time leaves out the others' rows unread.
CREATE INDEX entries_by_user ON entries (user_identity, log_index, occurred_at)
    WHERE user_identity IS NOT NULL;

-- Which blocks of 8,192 have an entry of some span of time: each block's earliest and latest
-- entry are its ends here.
CREATE INDEX entries_by_block ON entries (log_index >> 13, occurred_at);
