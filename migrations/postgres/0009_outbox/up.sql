-- Mails, and wishes for mails, from the moment that caused them until they are sent. What one says is sealed: a link in
-- it opens something.
CREATE TABLE outbox (
    -- The order in which they were put in.
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    -- Whose it is; none if it was asked for by somebody who may have no account.
    user_id bigint REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    recipient text NOT NULL,
    content bytea NOT NULL,
    queued_at timestamptz NOT NULL,
    -- How often it was taken out. The number also names the claim: an outcome that comes too late is not taken for that
    -- of another one.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz,
    -- Whoever took it out keeps it until then. NULL: it is not out, or its outcome was reported.
    claimed_until timestamptz,
    -- When it was given up.
    failed_at timestamptz,
    last_error text
) WITH (fillfactor = 80); -- To take a mail out changes no indexed column.

CREATE INDEX outbox_user_id ON outbox (user_id) WHERE user_id IS NOT NULL;

-- The one that is due for longest comes first, however many wait for another attempt, and those that were given up are
-- passed over.
CREATE INDEX outbox_due ON outbox (coalesce(next_attempt_at, queued_at), seq) WHERE failed_at IS NULL;
CREATE INDEX outbox_failed ON outbox (failed_at) WHERE failed_at IS NOT NULL;
