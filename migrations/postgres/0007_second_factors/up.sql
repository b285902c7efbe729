-- Second factors that are switched on: at most one of each method for an account.
CREATE TABLE second_factors (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    method text NOT NULL,
    -- What an authenticator knows, sealed: a dump of the database makes no codes.
    secret bytea,
    -- The time step of the last code that was used: none of it or of an earlier one is accepted again.
    last_step bigint,
    since timestamptz NOT NULL,
    PRIMARY KEY (user_id, method)
) WITH (fillfactor = 90); -- Each login with a code moves last_step, which is in no index.

-- Recovery codes that were not used yet, as keyed hashes. There are none where no second factor is on.
CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    mac bytea NOT NULL,
    PRIMARY KEY (user_id, mac)
);
