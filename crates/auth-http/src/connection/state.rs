//! The state of one connection: what it is waiting for, and since when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::phase::Phase;
use super::slots::{Evict, EvictionRank, Slots};
use super::{ConnectionLimits, GRACE, LINGER, LINGER_BYTES, UNANSWERED_GRACE};

/// The state of a connection, shared by its stream, its exchanges and the registry.
#[derive(Debug)]
pub(crate) struct State {
    this: Weak<State>,
    progress: Mutex<Progress>,
    slots: Arc<Slots>,
    /// Number of connections of the same client IP that wait for the client.
    unanswered: Arc<AtomicUsize>,
    /// Most such connections.
    most_unanswered: usize,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    /// When the phase began, or when the client last sent or read bytes in it.
    since: Instant,
    discarded: usize,
    /// Whether the connection was asked to close and has not received a complete request since.
    is_eviction_requested: bool,
    /// Whether the client does not read the response, possibly while a handler is working on the next one.
    is_blocked: bool,
    waker: Option<Waker>,
}

impl Progress {
    /// Whether the connection counts as open, and whether it counts as waiting for its client.
    const fn counts(&self) -> (bool, bool) {
        let is_open = !self.is_evicting() && !matches!(self.phase, Phase::Closing);
        (is_open, is_open && self.waits_for_client())
    }

    /// Whether the connection waits for the client to send the rest of a request or to read a response.
    const fn waits_for_client(&self) -> bool {
        self.phase.is_unanswered() || self.waits_for_reader()
    }

    /// Whether the connection waits for the client to read a response. Its phase may still be that of a running handler: a
    /// large response is written while it is produced, and pipelined requests overlap.
    const fn waits_for_reader(&self) -> bool {
        self.is_blocked && matches!(self.phase, Phase::Writing | Phase::Unread | Phase::Handling)
    }

    /// Whether the connection closes as soon as everything that the client has sent is read.
    const fn is_evicting(&self) -> bool {
        self.is_eviction_requested && matches!(self.phase, Phase::Idle | Phase::Head | Phase::Body)
    }

    /// Wakes the task that reads and flushes the stream.
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl State {
    /// Creates the state of a connection that was just accepted.
    pub(super) fn begin_connection(
        slots: Arc<Slots>,
        unanswered: Arc<AtomicUsize>,
        most_unanswered: usize,
    ) -> Arc<Self> {
        // `Closing` counts as nothing; the change to `Head` below makes the connection count as open.
        let progress = Mutex::new(Progress {
            phase: Phase::Closing,
            since: Instant::now(),
            discarded: 0,
            is_eviction_requested: false,
            is_blocked: false,
            waker: None,
        });
        let this = |this: &Weak<Self>| Self { this: this.clone(), progress, slots, unanswered, most_unanswered };
        let state = Arc::new_cyclic(this);
        state.change(&mut state.progress(), |progress| progress.phase = Phase::Head);
        state
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters `phase`, unless the connection is closing.
    fn begin(&self, progress: &mut Progress, phase: Phase) {
        if progress.phase == Phase::Closing {
            return;
        }
        self.change(progress, |progress| {
            (progress.phase, progress.since) = (phase, Instant::now());
            // A complete request cancels the eviction.
            progress.is_eviction_requested &= matches!(phase, Phase::Head | Phase::Body | Phase::Unread);
        });
        if phase == Phase::Closing {
            progress.wake();
        }
    }

    /// Applies `change`, and updates the counters and the eviction rank accordingly.
    fn change(&self, progress: &mut Progress, change: impl FnOnce(&mut Progress)) {
        let ((was_open, was_unanswered), rank) = (progress.counts(), self.rank(progress));
        change(progress);
        let (is_open, is_unanswered) = progress.counts();
        let counts = [(self.slots.open(), was_open, is_open), (&*self.unanswered, was_unanswered, is_unanswered)];
        for (count, before, after) in counts {
            match (before, after) {
                (false, true) => drop(count.fetch_add(1, Ordering::Relaxed)),
                (true, false) => drop(count.fetch_sub(1, Ordering::Relaxed)),
                _ => {}
            }
        }
        self.slots.change_rank(rank, self.rank(progress), &self.this);
    }

    /// Extends the deadline, because the client has sent bytes.
    fn extend_deadline(&self, progress: &mut Progress) {
        self.change(progress, |progress| progress.since = Instant::now());
    }

    /// The eviction rank; `None` if the connection is not evictable or is being evicted.
    fn rank(&self, progress: &Progress) -> Option<EvictionRank> {
        let phase = match progress.phase {
            // Waiting for a head and waiting for a body have the same rank.
            Phase::Body => Phase::Head,
            _ if progress.waits_for_reader() => Phase::Writing,
            phase => phase,
        };
        let (since, id) = (progress.since, self.this.as_ptr().addr());
        (phase.is_evictable() && !progress.is_evicting()).then_some(EvictionRank { phase, since, id })
    }

    /// A handler receives a request.
    pub(super) fn request_began(&self, has_body: bool) {
        self.begin(&mut self.progress(), if has_body { Phase::Unread } else { Phase::Handling });
    }

    /// A handler waits for the rest of a body. From here on, the client owes it.
    pub(super) fn body_awaited(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Unread {
            self.begin(&mut progress, Phase::Body);
            // There is a deadline now, and the handler may run in another task than the stream.
            progress.wake();
        }
    }

    /// A handler no longer waits for the rest of a body.
    pub(super) fn body_not_awaited(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Body {
            self.begin(&mut progress, Phase::Unread);
        }
    }

    /// The body of a request was read to its end.
    pub(super) fn body_ended(&self) {
        let mut progress = self.progress();
        if matches!(progress.phase, Phase::Body | Phase::Unread) {
            self.begin(&mut progress, Phase::Handling);
        }
    }

    /// The last byte of a response is ready to be sent.
    pub(super) fn response_ended(&self, body_was_read: bool) {
        let mut progress = self.progress();
        progress.discarded = 0;
        self.begin(&mut progress, if body_was_read { Phase::Writing } else { Phase::Lingering });
    }

    /// Bytes were received.
    pub(super) fn received(&self, bytes: usize) {
        let mut progress = self.progress();
        match progress.phase {
            Phase::Idle if bytes > 0 => self.begin(&mut progress, Phase::Head),
            Phase::Body => self.extend_deadline(&mut progress),
            Phase::Lingering => progress.discarded += bytes,
            _ => {}
        }
    }

    /// The client accepted bytes.
    pub(super) fn sent(&self) {
        let mut progress = self.progress();
        self.change(&mut progress, |progress| {
            progress.is_blocked = false;
            // The time limit of a head covers the whole head.
            if progress.phase != Phase::Head {
                progress.since = Instant::now();
            }
        });
    }

    /// The client does not accept the bytes that are ready for it. Over the soft limit, one connection is evicted: others may
    /// have been accepted while this one was not evictable.
    pub(super) fn blocked(&self) {
        let mut progress = self.progress();
        if progress.is_blocked {
            return;
        }
        self.change(&mut progress, |progress| (progress.is_blocked, progress.since) = (true, Instant::now()));
        drop(progress);
        if self.is_over_soft_limit() {
            self.slots.make_room();
        }
    }

    /// Whether the server is over its soft limit of connections.
    pub(super) fn is_over_soft_limit(&self) -> bool {
        self.slots.is_over_soft_limit()
    }

    /// The client accepted the whole response. Over the soft limit, the connection is evicted like an idle one, although its
    /// response did not announce that it closes.
    pub(super) fn flushed(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Writing {
            self.begin(&mut progress, Phase::Idle);
            if self.is_over_soft_limit() {
                self.request_eviction(&mut progress);
            }
        }
    }

    /// How many more bytes may be read.
    pub(super) fn may_read(&self) -> usize {
        let progress = self.progress();
        match progress.phase {
            Phase::Lingering => LINGER_BYTES.saturating_sub(progress.discarded),
            _ => usize::MAX,
        }
    }

    /// The time at which the connection has made no progress for too long, or `None` while it waits for a handler. The flag is
    /// `true` if the deadline can move closer, because it depends on the other connections of the client IP. `waker` is woken
    /// if the connection is evicted earlier.
    pub(super) fn deadline(&self, limits: &ConnectionLimits, waker: &Waker) -> Option<(Instant, bool)> {
        let mut progress = self.progress();
        if !progress.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            progress.waker = Some(waker.clone());
        }
        let limit = match progress.phase {
            Phase::Lingering => LINGER,
            Phase::Idle => limits.keep_alive + GRACE,
            Phase::Head => limits.header_timeout + GRACE,
            Phase::Body | Phase::Writing => limits.idle_timeout,
            Phase::Unread | Phase::Handling if progress.is_blocked => limits.idle_timeout,
            Phase::Unread | Phase::Handling => return None,
            Phase::Closing => Duration::ZERO,
        };
        let waits_for_client = progress.waits_for_client();
        let is_over_limit = waits_for_client && self.unanswered.load(Ordering::Relaxed) > self.most_unanswered;
        let limit = if is_over_limit { limit.min(UNANSWERED_GRACE) } else { limit };
        Some((progress.since + limit, waits_for_client))
    }

    /// Makes the stream close as soon as everything that the client has sent is read.
    fn request_eviction(&self, progress: &mut Progress) {
        self.change(progress, |progress| progress.is_eviction_requested = true);
        progress.wake();
    }

    /// Whether the connection closes as soon as everything that the client has sent is read.
    pub(super) fn is_evicting(&self) -> bool {
        self.progress().is_evicting()
    }

    /// Closes the connection. The task is woken only by the first call: every flush may call this, and actix-http does not read
    /// the end of the stream while its request buffers are full.
    pub(super) fn close(&self) {
        self.begin(&mut self.progress(), Phase::Closing);
    }
}

impl Evict for State {
    fn evict(&self, rank: EvictionRank) -> bool {
        let mut progress = self.progress();
        if self.rank(&progress) != Some(rank) {
            return false;
        }
        if matches!(progress.phase, Phase::Idle | Phase::Head | Phase::Body) {
            self.request_eviction(&mut progress);
        } else {
            self.begin(&mut progress, Phase::Closing);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl State {
        fn is_open(&self) -> bool {
            self.progress().counts().0
        }

        fn become_idle(&self) {
            self.request_began(false);
            self.response_ended(true);
            self.flushed();
        }
    }

    #[test]
    fn connections_are_evicted_by_phase_and_then_by_age() {
        // The soft limit is ten.
        let slots = Arc::new(Slots::new(11));
        let connection = || State::begin_connection(slots.clone(), Arc::default(), usize::MAX);
        let [handling, unread, writing, body, head, later_head, last_head, idle, later_idle, lingering] =
            std::array::from_fn(|_| connection());
        handling.request_began(false);
        unread.request_began(true);
        writing.request_began(false);
        writing.response_ended(true);
        body.request_began(true);
        body.body_awaited();
        later_head.become_idle();
        later_head.received(1);
        body.received(1);
        last_head.become_idle();
        last_head.received(1);
        idle.become_idle();
        later_idle.become_idle();
        lingering.request_began(true);
        lingering.response_ended(false);
        let order = [lingering, idle, later_idle, head, later_head, body, last_head, writing, unread, handling];
        let mut others = Vec::new();
        for gone in 0..10 {
            let open: Vec<_> = order.iter().map(|state| state.is_open()).collect();
            // Connections with a running handler are never evicted.
            assert_eq!(open, std::array::from_fn::<_, 10, _>(|n| n >= gone.min(8)));
            slots.make_room();
            others.push(connection());
            others[gone].request_began(false);
        }
    }
}
