-- Fails, and changes nothing, while there is a user who has no email address to log in with or reserves no canonical username: the
-- release before has no place for them.
ALTER TABLE users
    ALTER COLUMN email SET NOT NULL,
    ALTER COLUMN email_canonical SET NOT NULL,
    ALTER COLUMN username_canonical SET NOT NULL,
    DROP CONSTRAINT users_external_id_check,
    ADD CONSTRAINT users_external_id_check CHECK (external_id ~ '[^0-9]');

DROP TRIGGER users_report_change ON users;

CREATE TRIGGER users_report_change
    AFTER UPDATE OF id, external_id, username, email, first_name, last_name, is_active, is_staff, is_superuser,
        group_names, date_joined, email_verified_at, token_epoch, security_stamp,
        multi_factor_since ON users
    FOR EACH ROW WHEN (
        (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.is_active, OLD.is_staff,
         OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch,
         OLD.security_stamp, OLD.multi_factor_since)
        IS DISTINCT FROM
        (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.is_active, NEW.is_staff,
         NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch,
         NEW.security_stamp, NEW.multi_factor_since))
    EXECUTE FUNCTION auth_report_account();
