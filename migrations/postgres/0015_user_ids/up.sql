-- A user whose ID is no integer is reported as `x:<external_id>`: the key of its row is known to nobody. (Whoever reads an
-- earlier form of the reports takes it for "read everything again".) What is too long for an ID is cut: no session has such a
-- user, and a notification has less than 8,000 bytes.
CREATE OR REPLACE FUNCTION auth_report_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', coalesce('x:' || left(OLD.external_id, 256), 'u:' || OLD.id::text));
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth_report_second_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', coalesce('x:' || left(external_id, 256), 'u:' || id::text))
        FROM users WHERE id = NEW.user_id;
    RETURN NULL;
END
$$;
