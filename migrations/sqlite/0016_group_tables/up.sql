-- Groups and their members.
--
-- users.group_names stays, as a copy of the names for reading (the reasons are in the migration of the same name for
-- PostgreSQL). The triggers below keep the copy equal to the tables, whoever changes them; it must not be written in any other
-- way. A trigger leaves the copy alone if the change is in it already: the service writes the copy first, together with the
-- security stamp, so that one change event is reported.
CREATE TABLE groups (
    -- AUTOINCREMENT: the ID of a deleted group is never assigned again.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Compared byte by byte, as permission rules compare it. The copy separates names by line feeds.
    name TEXT NOT NULL UNIQUE CHECK (name <> '' AND instr(name, char(10)) = 0)
) STRICT;

CREATE TABLE user_groups (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_groups_group_id ON user_groups (group_id);

-- One row for each group of a user, split at the blanks.
CREATE TEMP TABLE old_groups AS
    WITH RECURSIVE split (user_id, name, rest) AS (
        SELECT id, '', group_names || ' ' FROM users WHERE group_names <> ''
        UNION ALL
        SELECT user_id, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1)
        FROM split WHERE rest <> ''
    )
    SELECT DISTINCT user_id, name FROM split WHERE name <> '';
INSERT INTO groups (name) SELECT DISTINCT name FROM old_groups ORDER BY name;
INSERT INTO user_groups (user_id, group_id)
    SELECT user_id, groups.id FROM old_groups JOIN groups ON groups.name = old_groups.name;
DROP TABLE old_groups;
UPDATE users SET group_names = replace(group_names, ' ', char(10)) WHERE instr(group_names, ' ') > 0;

CREATE TRIGGER user_groups_copy_addition AFTER INSERT ON user_groups
WHEN NOT EXISTS (
    SELECT 1 FROM users, groups WHERE users.id = NEW.user_id AND groups.id = NEW.group_id
        AND instr(char(10) || group_names || char(10), char(10) || name || char(10)) > 0)
BEGIN
    UPDATE users SET group_names = coalesce(
        (SELECT group_concat(name, char(10)) FROM (
            SELECT name FROM user_groups JOIN groups ON groups.id = group_id WHERE user_id = NEW.user_id ORDER BY name)),
        ''), security_stamp = security_stamp + 1
        WHERE id = NEW.user_id;
END;

-- The condition does not hold for a group that is deleted: then the names are copied.
CREATE TRIGGER user_groups_copy_removal AFTER DELETE ON user_groups
WHEN NOT EXISTS (
    SELECT 1 FROM users, groups WHERE users.id = OLD.user_id AND groups.id = OLD.group_id
        AND instr(char(10) || group_names || char(10), char(10) || name || char(10)) = 0)
BEGIN
    UPDATE users SET group_names = coalesce(
        (SELECT group_concat(name, char(10)) FROM (
            SELECT name FROM user_groups JOIN groups ON groups.id = group_id WHERE user_id = OLD.user_id ORDER BY name)),
        ''), security_stamp = security_stamp + 1
        WHERE id = OLD.user_id;
END;

CREATE TRIGGER user_groups_copy_move AFTER UPDATE ON user_groups
BEGIN
    UPDATE users SET group_names = coalesce(
        (SELECT group_concat(name, char(10)) FROM (
            SELECT name FROM user_groups JOIN groups ON groups.id = group_id WHERE user_id = users.id ORDER BY name)),
        ''), security_stamp = security_stamp + 1
        WHERE id IN (OLD.user_id, NEW.user_id);
END;

CREATE TRIGGER groups_copy_renaming AFTER UPDATE ON groups WHEN OLD.name <> NEW.name
BEGIN
    UPDATE users SET group_names = coalesce(
        (SELECT group_concat(name, char(10)) FROM (
            SELECT name FROM user_groups JOIN groups ON groups.id = group_id WHERE user_id = users.id ORDER BY name)),
        ''), security_stamp = security_stamp + 1
        WHERE id IN (SELECT user_id FROM user_groups WHERE group_id = NEW.id);
END;
