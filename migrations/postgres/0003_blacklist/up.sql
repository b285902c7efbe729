-- Ids of single tokens that are refused until they would have expired anyway.
CREATE TABLE blacklist (
    jti text PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    reason text NOT NULL
);

CREATE INDEX blacklist_expires_at ON blacklist (expires_at);
