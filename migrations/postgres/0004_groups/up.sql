-- The groups of an account: names without blanks, in alphabetical order, one blank between two. In its own row, so that
-- whoever reads an account (each refresh does) reads its groups with it.
ALTER TABLE users ADD COLUMN group_names text NOT NULL DEFAULT '';
