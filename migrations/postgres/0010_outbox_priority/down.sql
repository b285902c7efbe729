DROP INDEX outbox_due;
ALTER TABLE outbox DROP COLUMN priority;
CREATE INDEX outbox_due ON outbox (coalesce(next_attempt_at, queued_at), seq) WHERE failed_at IS NULL;
