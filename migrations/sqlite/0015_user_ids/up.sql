-- A user whose ID is no integer is reported as `x:<external_id>`: the key of its row is known to nobody. (Whoever reads an
-- earlier form of the reports takes it for "read everything again".) The triggers are the same as before otherwise.
DROP TRIGGER users_report_change;
DROP TRIGGER users_report_deletion;

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

CREATE TRIGGER users_report_deletion AFTER DELETE ON users
BEGIN
    INSERT INTO changes (what) VALUES (coalesce('x:' || OLD.external_id, 'u:' || OLD.id));
END;

DROP TRIGGER second_factors_report_addition;

CREATE TRIGGER second_factors_report_addition AFTER INSERT ON second_factors
BEGIN
    INSERT INTO changes (what) SELECT coalesce('x:' || external_id, 'u:' || id) FROM users WHERE id = NEW.user_id;
END;
