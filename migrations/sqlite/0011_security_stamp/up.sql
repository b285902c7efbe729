-- Counts the changes to the rights of an account (staff, superuser, active, groups), to its password and to its second
-- factors. Each such change moves it; the write that starts a session, or stores a code, names the one that was read when it
-- was decided what to ask for.
ALTER TABLE users ADD COLUMN security_stamp INTEGER NOT NULL DEFAULT 0;

-- The same as before, with the new column.
DROP TRIGGER users_report_change;

CREATE TRIGGER users_report_change
AFTER UPDATE OF id, external_id, username, email, first_name, last_name, is_active, is_staff, is_superuser,
    group_names, date_joined, email_verified_at, token_epoch, security_stamp ON users
WHEN (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.is_active, OLD.is_staff,
      OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch,
      OLD.security_stamp)
    IS NOT
    (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.is_active, NEW.is_staff,
     NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch,
     NEW.security_stamp)
BEGIN
    INSERT INTO changes (what) VALUES ('u:' || OLD.id);
END;
