//! Connections: how many there may be, how long each may stand still, and that each of them ends (adr/0008).
//!
//! actix-http ends a connection by timers for the first head and between two requests, and by nothing else: it waits for
//! the rest of a body that nobody reads, for the rest of a second head, and for a client that does not read its answer,
//! however long that takes. Here each connection has a [`state::State`], which four parts share:
//!
//! | part | what it does |
//! |---|---|
//! | [`exchange`] | tells the state when a request begins, when its body was read, and when its answer is complete |
//! | [`stream`] | ends the connection when the state has lasted too long |
//! | [`registry`] | counts for each client on how many connections it owes the rest of a request |
//! | [`places`] | asks connections to close where there are too many |

mod exchange;
mod places;
mod registry;
mod serve;
mod state;
mod stream;

use std::time::Duration;

pub(crate) use exchange::Exchange;
pub use serve::{ServeOptions, listen, serve};

/// How long the rest of a body that was not read is discarded before the connection ends, so that the client can read the
/// answer: a connection that is closed at once is reset, and the answer may be lost (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(1);
/// How much of such a body is discarded, in bytes.
const LINGER_BYTES: usize = 256 * 1024;
/// What actix-http has for its own timers before the connection is ended without an answer: it reads its clock twice a
/// second.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection may owe the rest of a request while its client has too many such connections: a crowd that comes at
/// the same time from one address, such as that of an office, is served.
const GRACE_OF_A_CROWD: Duration = Duration::from_secs(5);
/// How often a connection that owes the rest of a request looks for that.
const RECHECK: Duration = Duration::from_secs(1);

/// How many connections there may be, and how long each may stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections at once, rounded up to a multiple of the number of workers. Further ones wait in the queue of the
    /// operating system. When nearly as many are open, connections between two requests end; where that is not enough,
    /// those that have waited longest for their client.
    pub max_connections: usize,
    /// On how many connections one client IP (of IPv6: one /64) may owe the rest of a request for more than five seconds.
    /// Those beyond it end. Trusted proxies have no such limit.
    pub max_unanswered_per_client_ip: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a connection stays open between two requests.
    pub keep_alive: Duration,
    /// How long a connection may stand still in the middle of a body or an answer.
    pub idle_timeout: Duration,
}

impl Default for ConnectionLimits {
    /// 900 connections, 100 for each client IP, 10 seconds for a head, 75 between requests, 60 within one.
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
