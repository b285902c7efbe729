-- Attempts that are counted: one row for whoever or whatever they are counted for (a keyed hash), changed in place by
-- each attempt.
--
-- An attempt must stay a heap-only (HOT) update, for whoever guesses passwords makes many; so expires_at, which moves
-- with it, is in no index. prune_at stands in for it, as in the sessions: set to expires_at when the count begins, not
-- touched by an attempt, moved up by the pruning when it finds that others followed.
CREATE TABLE login_attempts (
    bucket text PRIMARY KEY,
    count integer NOT NULL CHECK (count >= 0),
    since timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    prune_at timestamptz NOT NULL
) WITH (fillfactor = 70); -- Room for two versions more of some rows at a time: an attempt locks before it counts.

CREATE INDEX login_attempts_prune_at ON login_attempts (prune_at);
