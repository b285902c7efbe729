-- Attempts that are counted: one row for whoever or whatever they are counted for (a keyed hash), changed in place by
-- each attempt.
--
-- An attempt changes no indexed column. prune_at is set to expires_at when the count begins, not touched by an attempt,
-- and moved up by the pruning when it finds that others followed (the reasons are in the migration of the same name for
-- PostgreSQL).
CREATE TABLE login_attempts (
    bucket TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 0),
    since INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    prune_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX login_attempts_prune_at ON login_attempts (prune_at);
