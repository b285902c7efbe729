CREATE OR REPLACE FUNCTION auth_report_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', 'u:' || OLD.id::text);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth_report_second_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', 'u:' || NEW.user_id::text);
    RETURN NULL;
END
$$;
