-- When the user of a session was authenticated. NULL, as in sessions of earlier releases: when the session began.
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;
