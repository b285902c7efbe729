//! How many connections fit into the process: each takes a file descriptor, and so does much else.

use anyhow::{Result, ensure};
use rustix::process::{Resource, getrlimit};

use crate::config::Checked;

/// Most connections where none are configured and the process may have more: beyond that, say so.
const MOST: u64 = 10_000;

/// How many connections there may be: `server.max_connections`, or as many as the process allows.
pub(crate) fn max_connections(checked: &Checked) -> Result<usize> {
    let settings = &checked.settings;
    let configured = settings.server.max_connections as u64;
    // SQLite has up to four files for each connection.
    let needed = 64 + 4 * u64::from(settings.database.pool_size);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fitting = fitting(limit, needed);
    ensure!(
        configured <= fitting,
        "server.max_connections: is {configured}, but the process may have {limit} open files and needs {needed} itself; \
         raise that limit (ulimit -n), or set {fitting} or less"
    );
    let chosen = if configured == 0 { fitting.min(MOST) } else { configured };
    Ok(usize::try_from(chosen).unwrap_or(usize::MAX))
}

/// How many descriptors are left for connections; where there are few, half of them.
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
