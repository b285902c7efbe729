-- What others need to know of at once: sessions that end, and accounts that change. Whoever listens to `auth_changes` is
-- told `s:<id of the session>` or `u:<number of the account>` at the commit, whoever made the change; any other text
-- means "read everything anew". No table is written for it.
--
-- Nothing is reported of a refresh or a login: neither names a column of these triggers, nor changes its value. (Commits
-- that report something queue on one lock of the whole server, which rare changes can afford.)
CREATE FUNCTION auth_report_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', 's:' || replace(OLD.id::text, '-', ''));
    RETURN NULL;
END
$$;

CREATE FUNCTION auth_report_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', 'u:' || OLD.id::text);
    RETURN NULL;
END
$$;

CREATE FUNCTION auth_report_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('auth_changes', '*');
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_report_end AFTER UPDATE OF revoked_at ON sessions
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION auth_report_session();

-- One that is deleted while it is live: pruning deletes those that are over.
CREATE TRIGGER sessions_report_deletion AFTER DELETE ON sessions
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND OLD.expires_at > now())
    EXECUTE FUNCTION auth_report_session();

CREATE TRIGGER sessions_report_truncation AFTER TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION auth_report_everything();

-- Every column but last_login, and the canonical forms, which change with what they are the forms of. Adapters write
-- token_epoch as it is to lock an account: that is no change.
CREATE TRIGGER users_report_change
    AFTER UPDATE OF id, external_id, username, email, first_name, last_name, is_active, is_staff, is_superuser,
        group_names, date_joined, email_verified_at, token_epoch ON users
    FOR EACH ROW WHEN (
        (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.is_active, OLD.is_staff,
         OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch)
        IS DISTINCT FROM
        (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.is_active, NEW.is_staff,
         NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch))
    EXECUTE FUNCTION auth_report_account();

CREATE TRIGGER users_report_deletion AFTER DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION auth_report_account();

CREATE TRIGGER users_report_truncation AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION auth_report_everything();
