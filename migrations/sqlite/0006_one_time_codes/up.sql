-- One-time codes: what a link, a challenge or an enrolment leaves here. Neither the token of a link nor a code of six
-- digits can be found from what is stored.
CREATE TABLE one_time_codes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    -- A keyed hash; none where no secret was mailed.
    mac BLOB,
    payload BLOB,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- When it was used, or ended by something else. It stays until it has expired, so that it is known as used.
    consumed_at INTEGER
) STRICT;

CREATE INDEX one_time_codes_user_id ON one_time_codes (user_id);
CREATE INDEX one_time_codes_expires_at ON one_time_codes (expires_at);
