-- Sessions (token families): one row for each login, changed in place by each refresh.
--
-- A refresh changes no indexed column. prune_at is set to expires_at when the session begins, not touched by a refresh,
-- and moved up by the pruning when it finds that the session was refreshed since (the reasons are in the migration of
-- the same name for PostgreSQL).
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The one live refresh token; those below are spent.
    generation INTEGER NOT NULL CHECK (generation >= 0),
    rotated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    absolute_expires_at INTEGER,
    revoked_at INTEGER,
    revoke_reason TEXT,
    amr TEXT NOT NULL,
    ip TEXT,
    user_agent TEXT,
    prune_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_prune_at ON sessions (prune_at);
