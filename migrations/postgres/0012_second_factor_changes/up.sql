-- A second factor that is added is a change of its account: guarded routes that let in tokens of no session must ask again.
-- One that is used or removed lets in no token that was refused before.
CREATE FUNCTION auth_report_second_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', 'u:' || NEW.user_id::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER second_factors_report_addition AFTER INSERT ON second_factors
    FOR EACH ROW EXECUTE FUNCTION auth_report_second_factor();
