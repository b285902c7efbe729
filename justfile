# Every step of CI is one of these recipes.

# All of CI.
ci: format lint test doc deny

# Formatting is as rustfmt has it.
format:
    cargo fmt --all --check

# No warnings, in any target, nor without the features of auth-crypto.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p auth-crypto --no-default-features -- -D warnings

# All tests, on SQLite and on PostgreSQL.
test:
    cargo test --workspace

# The tests for the inner loop: no server, no PostgreSQL, no network.
test-quick:
    cargo test --workspace --lib --test kit --test rules --test crypto --test application --test repository
    cargo test --workspace --test contract -- sqlite::

# The tests that need PostgreSQL, on a server of one's own: just test-pg postgres://user@host/postgres
test-pg url:
    TEST_DATABASE_URL={{url}} cargo test --workspace postgres

# Documentation without warnings, private items included.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Licences, sources and banned crates.
deny:
    cargo deny check bans licenses sources

# Starts the service on an embedded database.
run *args:
    cargo run -- {{args}}

# Brings the tables of the configured database up to date.
migrate *args:
    cargo run -- migrate {{args}}

# Writes the golden files anew, and the table of differences in docs/compatibility.md, for review.
golden:
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test repository
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test wire -- --exact contract::tables
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test wire -- the_table_of_routes_is_the_golden_one
