//! Finds the PostgreSQL programs of this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs that create and run a cluster.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
}

impl Programs {
    /// Searches the usual folders. The error is one line that says what to install.
    pub(super) fn find() -> Result<Self, String> {
        psql()?;
        // The caller's choice first, then installed versions, the highest first.
        let mut folders = on_path().into_iter().chain(of_pg_config()).chain(installed());
        folders.find_map(|folder| Self::in_folder(&folder)).ok_or_else(|| {
            "no PostgreSQL server programs found: install them (Debian: apt-get install postgresql) or set \
             TEST_DATABASE_URL"
                .to_owned()
        })
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        Some(Self { initdb: program_in(folder, "initdb")?, postgres: program_in(folder, "postgres")? })
    }
}

/// Returns the path of `psql`, which every server package installs too. The PATH is searched last: on Debian it has a
/// wrapper script that is slow to start.
pub(super) fn psql() -> Result<PathBuf, String> {
    static PSQL: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || of_pg_config().into_iter().chain(installed()).chain(on_path()).find_map(|f| program_in(&f, "psql"));
    PSQL.get_or_init(find).clone().ok_or_else(|| {
        "no PostgreSQL found (psql is missing): install it (Debian: apt-get install postgresql postgresql-client)"
            .to_owned()
    })
}

fn program_in(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|path| path.is_file())
}

fn on_path() -> Vec<PathBuf> {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect()
}

fn of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim_end()))
}

fn installed() -> Vec<PathBuf> {
    let places = [
        ("/usr/lib/postgresql", ""),                          // Debian
        ("/usr", "pgsql-"),                                   // Red Hat, from postgresql.org
        ("/usr/libexec", "postgresql"),                       // Alpine
        ("/opt/homebrew/opt", "postgresql"),                  // macOS
        ("/usr/local/opt", "postgresql"),                     // macOS on Intel
        ("/usr/local", "pgsql"),                              // built from source
        ("/Applications/Postgres.app/Contents/Versions", ""), // macOS, as an app
    ];
    places.iter().flat_map(|(parent, prefix)| versions_in(Path::new(parent), prefix)).collect()
}

/// The folders in `parent` whose names start with `prefix`, highest version first; each with and without `bin`.
fn versions_in(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with(prefix));
    names.sort_by_key(|name| {
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        std::cmp::Reverse(digits.split('.').next().and_then(|number| number.parse::<u32>().ok()))
    });
    names.into_iter().flat_map(|name| [parent.join(&name).join("bin"), parent.join(name)]).collect()
}
