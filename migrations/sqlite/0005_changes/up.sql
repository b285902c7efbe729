-- What others need to know of at once: sessions that end (`s:<id>`), and accounts that change (`u:<number>`), whoever
-- made the change. There is one writer at a time, so the order of the numbers is that of the commits, and none is left
-- out: who finds one missing after the last it has seen knows that it came too late. Nothing is noted of a refresh or a
-- login (the reasons are in the migration of the same name for PostgreSQL).
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL
) STRICT;

-- The last few thousand are kept: those who follow look several times a second.
CREATE TRIGGER changes_forget AFTER INSERT ON changes
BEGIN
    DELETE FROM changes WHERE seq <= NEW.seq - 5000;
END;

CREATE TRIGGER sessions_report_end AFTER UPDATE OF revoked_at ON sessions
WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL
BEGIN
    INSERT INTO changes (what) VALUES ('s:' || lower(hex(NEW.id)));
END;

-- One that is deleted while it is live: pruning deletes those that are over.
CREATE TRIGGER sessions_report_deletion AFTER DELETE ON sessions
WHEN OLD.revoked_at IS NULL AND OLD.expires_at > CAST(strftime('%s', 'now') AS INTEGER) * 1000000
BEGIN
    INSERT INTO changes (what) VALUES ('s:' || lower(hex(OLD.id)));
END;

-- Every column but last_login, and the canonical forms, which change with what they are the forms of. Adapters write
-- token_epoch as it is to lock an account: that is no change.
CREATE TRIGGER users_report_change
AFTER UPDATE OF id, external_id, username, email, first_name, last_name, is_active, is_staff, is_superuser,
    group_names, date_joined, email_verified_at, token_epoch ON users
WHEN (OLD.id, OLD.external_id, OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.is_active, OLD.is_staff,
      OLD.is_superuser, OLD.group_names, OLD.date_joined, OLD.email_verified_at, OLD.token_epoch)
    IS NOT
    (NEW.id, NEW.external_id, NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.is_active, NEW.is_staff,
     NEW.is_superuser, NEW.group_names, NEW.date_joined, NEW.email_verified_at, NEW.token_epoch)
BEGIN
    INSERT INTO changes (what) VALUES ('u:' || OLD.id);
END;

CREATE TRIGGER users_report_deletion AFTER DELETE ON users
BEGIN
    INSERT INTO changes (what) VALUES ('u:' || OLD.id);
END;
