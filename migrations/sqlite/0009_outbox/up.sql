-- Mails, and wishes for mails, from the moment that caused them until they are sent. What one says is sealed: a link in
-- it opens something.
CREATE TABLE outbox (
    -- The order in which they were put in. AUTOINCREMENT: a list that goes on after the last one it saw misses none.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Whose it is; none if it was asked for by somebody who may have no account.
    user_id INTEGER REFERENCES users ON DELETE CASCADE,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    content BLOB NOT NULL,
    queued_at INTEGER NOT NULL,
    -- How often it was taken out. The number also names the claim: an outcome that comes too late is not taken for that
    -- of another one.
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at INTEGER,
    -- Whoever took it out keeps it until then. NULL: it is not out, or its outcome was reported.
    claimed_until INTEGER,
    -- When it was given up.
    failed_at INTEGER,
    last_error TEXT
) STRICT;

CREATE INDEX outbox_user_id ON outbox (user_id) WHERE user_id IS NOT NULL;

-- The one that is due for longest comes first, however many wait for another attempt, and those that were given up are
-- passed over.
CREATE INDEX outbox_due ON outbox (coalesce(next_attempt_at, queued_at), seq) WHERE failed_at IS NULL;
CREATE INDEX outbox_failed ON outbox (failed_at) WHERE failed_at IS NOT NULL;
