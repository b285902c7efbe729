//! The number of connections that the file descriptors of the process allow.

use anyhow::{Result, ensure};
use rustix::process::{Resource, getrlimit};

use crate::config::Checked;

/// Most connections unless `server.max_connections` is set.
const DEFAULT_MAX: u64 = 10_000;

/// Returns `server.max_connections`, or, if that is 0, as many connections as the process allows.
pub(crate) fn max_connections(checked: &Checked) -> Result<usize> {
    let settings = &checked.settings;
    let configured = settings.server.max_connections as u64;
    // SQLite opens up to four files for each connection.
    let needed = 64 + 4 * u64::from(settings.database.pool_size);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fitting = fitting(limit, needed);
    ensure!(
        configured <= fitting,
        "server.max_connections: is {configured}, but the process may have {limit} open files and needs {needed} of them \
         for itself; raise that limit (ulimit -n), or set {fitting} or less"
    );
    let chosen = if configured == 0 { fitting.min(DEFAULT_MAX) } else { configured };
    Ok(usize::try_from(chosen).unwrap_or(usize::MAX))
}

/// The number of descriptors left for connections, but at least half of `limit`.
fn fitting(limit: u64, needed: u64) -> u64 {
    limit.saturating_sub(needed).max(limit / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_what_the_process_needs() {
        for (limit, needed, expected) in
            [(1_024, 96, 928), (400, 96, 304), (192, 96, 96), (100, 96, 50), (1, 96, 1), (u64::MAX, 96, u64::MAX - 96)]
        {
            assert_eq!(fitting(limit, needed), expected, "{limit}");
        }
    }
}
