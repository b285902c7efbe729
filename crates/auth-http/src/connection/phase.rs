//! The phases of a connection.

#[cfg(doc)]
use super::LINGER;

/// What a connection is waiting for. Connections are evicted in this order; those after [`Writing`](Self::Writing) never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The end of [`LINGER`]: the request was answered, but its body was not read to its end.
    Lingering,
    /// The next request.
    Idle,
    /// The rest of a head, or any part of the first one.
    Head,
    /// The rest of a body that a handler waits for.
    Body,
    /// The client, to read the rest of a response.
    Writing,
    /// A handler that does not wait for the rest of the body: it is busy, or has bytes left to read.
    Unread,
    /// A handler that has read the whole request.
    Handling,
    /// The dispatcher, which has been told that the stream has ended.
    Closing,
}

impl Phase {
    /// Whether the client owes the rest of a request.
    pub(super) const fn is_unanswered(self) -> bool {
        matches!(self, Self::Head | Self::Body)
    }

    /// Whether the connection may be evicted.
    pub(super) const fn is_evictable(self) -> bool {
        !matches!(self, Self::Unread | Self::Handling | Self::Closing)
    }
}
