-- Codes are delivered first, then resets, then everything else: a flood of registrations must delay no login.
-- The default is for releases that know no priorities and are still running.
ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 2;
UPDATE outbox SET priority = CASE kind WHEN 'second_factor_code' THEN 0 ELSE 1 END
    WHERE kind IN ('second_factor_code', 'password_reset', 'password_reset_requested');

DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (priority, coalesce(next_attempt_at, queued_at), seq) WHERE failed_at IS NULL;
