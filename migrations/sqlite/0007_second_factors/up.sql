-- Second factors that are switched on: at most one of each method for an account.
CREATE TABLE second_factors (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    method TEXT NOT NULL,
    -- What an authenticator knows, sealed: a dump of the database makes no codes.
    secret BLOB,
    -- The time step of the last code that was used: none of it or of an earlier one is accepted again.
    last_step INTEGER,
    since INTEGER NOT NULL,
    PRIMARY KEY (user_id, method)
) STRICT, WITHOUT ROWID;

-- Recovery codes that were not used yet, as keyed hashes. There are none where no second factor is on.
CREATE TABLE recovery_codes (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    mac BLOB NOT NULL,
    PRIMARY KEY (user_id, mac)
) STRICT, WITHOUT ROWID;
