-- One-time codes: what a link, a challenge or an enrolment leaves here. Neither the token of a link nor a code of six
-- digits can be found from what is stored.
CREATE TABLE one_time_codes (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL,
    -- A keyed hash; none where no secret was mailed.
    mac bytea,
    payload bytea,
    attempts integer NOT NULL CHECK (attempts >= 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- When it was used, or ended by something else. It stays until it has expired, so that it is known as used.
    consumed_at timestamptz
) WITH (fillfactor = 90); -- Neither an attempt nor the use of a code changes an indexed column.

CREATE INDEX one_time_codes_user_id ON one_time_codes (user_id);
CREATE INDEX one_time_codes_expires_at ON one_time_codes (expires_at);
