-- A user may have no email address, or one that is a contact only, and an imported user a username that differs from another one in
-- letter case only. The canonical forms stay unique, and are now NULL where nothing is reserved:
--
-- email_canonical: the address, if there is one, is a contact only. Any number of users may have it; none is found by it.
-- username_canonical: no more than the exact spelling of the username is reserved.
--
-- An external ID may also be digits with a leading zero, which tokens do not take for an integer.
--
-- No row is read or written for it.
ALTER TABLE users
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN email_canonical DROP NOT NULL,
    ALTER COLUMN username_canonical DROP NOT NULL,
    DROP CONSTRAINT users_external_id_check,
    ADD CONSTRAINT users_external_id_check CHECK (external_id !~ '^(0|[1-9][0-9]*)$') NOT VALID;

-- The same as before, with email_canonical: a contact that becomes a login name is a change.
DROP TRIGGER users_report_change ON users;

CREATE TRIGGER users_report_change
    AFTER UPDATE OF id, external_id, username, email, email_canonical, first_name, last_name, is_active, is_staff,
        is_superuser, group_names, date_joined, email_verified_at, token_epoch, security_stamp,
        multi_factor_since ON users
    FOR EACH ROW WHEN (
        (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.email_canonical, OLD.first_name, OLD.last_name,
         OLD.is_active, OLD.is_staff, OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at,
         OLD.token_epoch, OLD.security_stamp, OLD.multi_factor_since)
        IS DISTINCT FROM
        (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.email_canonical, NEW.first_name, NEW.last_name,
         NEW.is_active, NEW.is_staff, NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at,
         NEW.token_epoch, NEW.security_stamp, NEW.multi_factor_since))
    EXECUTE FUNCTION auth_report_account();
