-- Ids of single tokens that are refused until they would have expired anyway.
CREATE TABLE blacklist (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX blacklist_expires_at ON blacklist (expires_at);
