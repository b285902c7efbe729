-- Accounts. What must be unique is decided here, never by a read before the write. Moments are microseconds since
-- 1970-01-01T00:00:00Z.
CREATE TABLE users (
    -- AUTOINCREMENT: the number of a deleted account is never given again. Tokens name accounts by it.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The key of an imported account, where that was no integer; tokens name the account by it.
    -- Never a plain number: tokens would take it for that of another account.
    external_id TEXT UNIQUE CHECK (external_id GLOB '*[^0-9]*'),
    username TEXT NOT NULL UNIQUE,
    username_canonical TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_staff INTEGER NOT NULL CHECK (is_staff IN (0, 1)),
    is_superuser INTEGER NOT NULL CHECK (is_superuser IN (0, 1)),
    date_joined INTEGER NOT NULL,
    last_login INTEGER,
    email_verified_at INTEGER,
    -- Tokens of no session that were issued up to this moment are refused. 0: never moved.
    token_epoch INTEGER NOT NULL
) STRICT;

-- Whether there is a superuser is asked without reading every account.
CREATE INDEX users_superusers ON users (id) WHERE is_superuser;

-- Apart from the accounts, so that whoever reads an account has no hash in hand.
CREATE TABLE credentials (
    user_id INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    password_hash TEXT NOT NULL,
    -- When the password was set. The same password hashed anew leaves it.
    updated_at INTEGER NOT NULL
) STRICT;
