-- A user may have no email address, or one that is a contact only, and an imported user a username that differs from another one in
-- letter case only. The canonical forms stay unique, and are now NULL where nothing is reserved:
--
-- email_canonical: the address, if there is one, is a contact only. Any number of users may have it; none is found by it.
-- username_canonical: no more than the exact spelling of the username is reserved.
--
-- An external ID may also be digits with a leading zero, which tokens do not take for an integer.
--
-- ALTER TABLE cannot remove NOT NULL. The table is not built anew, since DROP TABLE users would delete what refers to it: the
-- constraint is removed from its definition, which is a procedure of SQLite's for changes that leave the stored rows as they are
-- (https://www.sqlite.org/lang_altertable.html#otheralter). It is part of the transaction, and the change of the trigger below makes
-- other connections read the definition again.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql =
    replace(replace(replace(replace(sql,
        'username_canonical TEXT NOT NULL UNIQUE', 'username_canonical TEXT UNIQUE'),
        'email_canonical TEXT NOT NULL UNIQUE', 'email_canonical TEXT UNIQUE'),
        ' email TEXT NOT NULL,', ' email TEXT,'),
        'CHECK (external_id GLOB ''*[^0-9]*'')', 'CHECK (external_id GLOB ''*[^0-9]*'' OR external_id GLOB ''0?*'')')
    WHERE type = 'table' AND name = 'users';
PRAGMA writable_schema = RESET;

-- Fails if the definition was written in another way.
CREATE TEMP TABLE not_null_columns (number INTEGER CHECK (number = 0));
INSERT INTO not_null_columns
    SELECT count(*) FROM pragma_table_info('users')
    WHERE name IN ('username_canonical', 'email', 'email_canonical') AND "notnull";
DROP TABLE not_null_columns;

-- The same as before, with email_canonical: a contact that becomes a login name is a change.
DROP TRIGGER users_report_change;

CREATE TRIGGER users_report_change
AFTER UPDATE OF id, external_id, username, email, email_canonical, first_name, last_name, is_active, is_staff, is_superuser,
    group_names, date_joined, email_verified_at, token_epoch, security_stamp, multi_factor_since ON users
WHEN (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.email_canonical, OLD.first_name, OLD.last_name, OLD.is_active,
      OLD.is_staff, OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch,
      OLD.security_stamp, OLD.multi_factor_since)
    IS NOT
    (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.email_canonical, NEW.first_name, NEW.last_name, NEW.is_active,
     NEW.is_staff, NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch,
     NEW.security_stamp, NEW.multi_factor_since)
BEGIN
    INSERT INTO changes (what) VALUES (coalesce('x:' || OLD.external_id, 'u:' || OLD.id));
END;
