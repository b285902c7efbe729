//! Connections: their number, and their timeouts. Every connection ends (docs/adr/0008-connections-end.md).
//!
//! actix-http has timers for the first head of a connection and for the time between two requests, and no others: it waits
//! without a limit for the rest of an unread body, for the rest of a second head, and for a client that does not read the
//! response. Here each connection has a [`state::State`], which four modules share:
//!
//! | module | responsibility |
//! |---|---|
//! | [`exchange`] | reports to the state when a request begins, when its body was read, and when its response is complete |
//! | [`stream`] | ends the connection when its state has lasted too long |
//! | [`registry`] | counts, for each client IP, the connections on which the client owes the rest of a request |
//! | [`slots`] | closes connections when too many are open |

mod exchange;
mod phase;
mod registry;
mod serve;
mod slots;
mod state;
mod stream;

use std::time::Duration;

pub(crate) use exchange::Exchange;
pub use serve::{ServeOptions, listen, serve};

/// How long the rest of an unread body is discarded before the connection is closed. If it were closed at once, it would be
/// reset, and the client could lose the response (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
/// Most bytes of an unread body that are discarded.
const LINGER_BYTES: usize = 256 * 1024;
/// Extra time after which the connection is ended if the timers of actix-http have not ended it. actix-http updates its
/// clock every half second.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection may owe the rest of a request while its client IP is over the limit. Many users behind one client
/// IP, such as an office, can therefore connect at the same time.
const UNANSWERED_GRACE: Duration = Duration::from_secs(5);
/// How often a connection that owes the rest of a request checks that limit.
const RECHECK: Duration = Duration::from_secs(1);

/// Limits on the number of connections and on the time that each may make no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections at once, rounded up to a multiple of the number of workers. Further connections wait in the queue of
    /// the operating system. Close to the limit, idle connections are closed first, then those that have waited longest for
    /// their client.
    pub max_connections: usize,
    /// Most connections of one client IP (in IPv6, one /64) that may owe the rest of a request, or leave a response unread,
    /// for more than five seconds. Further ones are closed. Trusted proxies are exempt.
    pub max_unanswered_per_client_ip: usize,
    /// Time limit for the head of a request.
    pub header_timeout: Duration,
    /// How long a connection stays open between two requests.
    pub keep_alive: Duration,
    /// How long a connection may make no progress in the middle of a body or a response.
    pub idle_timeout: Duration,
}

impl Default for ConnectionLimits {
    /// 900 connections, 100 for each client IP; 10 seconds for a head, 75 between two requests, 60 within one.
    fn default() -> Self {
        Self {
            max_connections: 900,
            max_unanswered_per_client_ip: 100,
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            idle_timeout: Duration::from_secs(60),
        }
    }
}
