-- Fails, and changes nothing, while there is a user who has no email address to log in with or reserves no canonical username: the
-- release before has no place for them.
CREATE TEMP TABLE users_without_names (number INTEGER CHECK (number = 0));
INSERT INTO users_without_names
    SELECT count(*) FROM users
    WHERE username_canonical IS NULL OR email IS NULL OR email_canonical IS NULL OR external_id NOT GLOB '*[^0-9]*';
DROP TABLE users_without_names;

PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql =
    replace(replace(replace(replace(sql,
        'username_canonical TEXT UNIQUE', 'username_canonical TEXT NOT NULL UNIQUE'),
        'email_canonical TEXT UNIQUE', 'email_canonical TEXT NOT NULL UNIQUE'),
        ' email TEXT,', ' email TEXT NOT NULL,'),
        'CHECK (external_id GLOB ''*[^0-9]*'' OR external_id GLOB ''0?*'')', 'CHECK (external_id GLOB ''*[^0-9]*'')')
    WHERE type = 'table' AND name = 'users';
PRAGMA writable_schema = RESET;

DROP TRIGGER users_report_change;

CREATE TRIGGER users_report_change
AFTER UPDATE OF id, external_id, username, email, first_name, last_name, is_active, is_staff, is_superuser,
    group_names, date_joined, email_verified_at, token_epoch, security_stamp, multi_factor_since ON users
WHEN (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.is_active, OLD.is_staff,
      OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch,
      OLD.security_stamp, OLD.multi_factor_since)
    IS NOT
    (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.is_active, NEW.is_staff,
     NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch,
     NEW.security_stamp, NEW.multi_factor_since)
BEGIN
    INSERT INTO changes (what) VALUES (coalesce('x:' || OLD.external_id, 'u:' || OLD.id));
END;
