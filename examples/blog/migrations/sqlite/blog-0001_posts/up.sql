-- What users write. Beside the tables of the accounts, in the same database.
CREATE TABLE posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    author_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    -- Microseconds since 1970.
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX posts_author_id ON posts (author_id);
