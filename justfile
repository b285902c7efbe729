# CI runs these recipes.

# Runs all of CI.
ci: format spelling lint test doc deny

# Checks the formatting.
format:
    cargo fmt --all --check

# Checks the spelling, and the words that docs/glossary.md replaces.
spelling:
    typos

# Denies warnings in all targets, and in auth-crypto without its features.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p auth-crypto --no-default-features -- -D warnings

# Runs all tests, on SQLite and on PostgreSQL.
test:
    cargo test --workspace

# Runs the fast tests: no server, no PostgreSQL, no network.
test-quick:
    cargo test --workspace --lib --test kit --test rules --test crypto --test application --test repository
    cargo test --workspace --test contract -- sqlite::

# Runs the PostgreSQL tests on an existing server: just test-pg postgres://user@host/postgres
test-pg url:
    TEST_DATABASE_URL={{url}} cargo test --workspace postgres

# Builds the documentation, private items included, and denies warnings.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# Checks licences, sources and banned crates.
deny:
    cargo deny check bans licenses sources

# Starts the service on an embedded database.
run *args:
    cargo run -- {{args}}

# Migrates the configured database.
migrate *args:
    cargo run -- migrate {{args}}

# Writes the golden files and the table of differences in docs/compatibility.md again, for review.
golden:
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test repository
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test wire -- --exact contract::tables
    UPDATE_GOLDEN=1 cargo test -p auth-tests --test wire -- routes_match_their_golden_file
