-- Sessions (token families): one row for each login, changed in place by each refresh.
--
-- A refresh must stay a heap-only (HOT) update: it changes no indexed column, and finds room in its page. That rules
-- out an index on expires_at, which moves with each refresh (even a BRIN index would stop HOT before PostgreSQL 16).
-- prune_at stands in for it: set to expires_at when the session begins, not touched by a refresh, moved up by the
-- pruning when it finds that the session was refreshed since. So it is an index to what may have expired, each session
-- is looked at once in a token lifetime, and the work of a pruning is bounded by its batch, however many sessions
-- there are. An expiry that was moved down, by a shorter lifetime in the configuration, is seen when prune_at comes; it
-- must be: a session that was adopted with a long-lived token is known until that token has expired, or it could be
-- adopted anew, spent or revoked as it is.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The one live refresh token; those below are spent.
    generation integer NOT NULL CHECK (generation >= 0),
    rotated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    absolute_expires_at timestamptz,
    revoked_at timestamptz,
    revoke_reason text,
    amr text NOT NULL,
    ip text,
    user_agent text,
    prune_at timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_prune_at ON sessions (prune_at);
