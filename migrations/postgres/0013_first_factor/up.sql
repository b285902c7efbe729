-- When an account first had a second factor, even if that one has been removed since; and the same as long as it has a factor:
-- tokens that another issuer issued since are not accepted.
ALTER TABLE users ADD COLUMN first_factor_at timestamptz;
ALTER TABLE users ADD COLUMN multi_factor_since timestamptz;
UPDATE users SET first_factor_at = (SELECT min(since) FROM second_factors WHERE user_id = users.id),
    multi_factor_since = (SELECT min(since) FROM second_factors WHERE user_id = users.id)
    WHERE id IN (SELECT user_id FROM second_factors);

-- The same as before, with the new column.
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
