//! What one connection is waiting for, and since when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::places::{Places, Turn};
use super::{ConnectionLimits, GRACE, GRACE_OF_A_CROWD, LINGER, LINGER_BYTES};

/// What a connection is waiting for. Connections give way in this order; those after [`Writing`](Self::Writing) never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// For the end of [`LINGER`]: the request is answered, and its body was not read to its end.
    Lingering,
    /// For the next request.
    Idle,
    /// For the rest of a head, or of the first one.
    Head,
    /// For the rest of a body, which a handler waits for.
    Body,
    /// For the client to take the rest of an answer.
    Writing,
    /// For a handler that does not wait for the rest of the body: it is busy, or has enough to read.
    Unread,
    /// For a handler that has read the whole request.
    Handling,
    /// For the dispatcher, which was told that the client sends nothing more.
    Closing,
}

impl Phase {
    /// Whether the client owes the rest of a request.
    pub(super) const fn is_unanswered(self) -> bool {
        matches!(self, Self::Head | Self::Body)
    }

    /// Whether the connection may be ended for another one.
    pub(super) const fn gives_way(self) -> bool {
        !matches!(self, Self::Unread | Self::Handling | Self::Closing)
    }
}

/// The state of a connection, shared by its stream, its requests and the registry.
#[derive(Debug)]
pub(crate) struct State {
    this: Weak<State>,
    progress: Mutex<Progress>,
    places: Arc<Places>,
    /// On how many connections the same client owes something.
    unanswered: Arc<AtomicUsize>,
    /// On how many it may.
    most_unanswered: usize,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    /// When this phase began, or, where the client keeps sending or reading, when it last did.
    since: Instant,
    discarded: usize,
    /// Whether it was asked to close for another one, and has not got a whole request since.
    is_asked: bool,
    /// Whether the client does not take what it was answered, even while a handler is at work on more.
    is_blocked: bool,
    waker: Option<Waker>,
}

impl Progress {
    /// Whether it counts as open, and as one whose client owes something.
    const fn counts(&self) -> (bool, bool) {
        let is_open = !self.is_yielding() && !matches!(self.phase, Phase::Closing);
        (is_open, is_open && self.is_owed())
    }

    /// Whether the client owes something: the rest of a request, or to take an answer.
    const fn is_owed(&self) -> bool {
        self.phase.is_unanswered() || self.is_stuck()
    }

    /// Whether it waits for the client to take an answer. A large one is written while its handler counts as at work, and so
    /// are those of pipelined requests.
    const fn is_stuck(&self) -> bool {
        self.is_blocked && matches!(self.phase, Phase::Writing | Phase::Unread | Phase::Handling)
    }

    /// Whether it closes as soon as there is nothing more to read from the client.
    const fn is_yielding(&self) -> bool {
        self.is_asked && matches!(self.phase, Phase::Idle | Phase::Head | Phase::Body)
    }

    /// Wakes the task of the connection, which reads and flushes the stream.
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl State {
    /// A connection that was just accepted.
    pub(super) fn begin_connection(
        places: Arc<Places>,
        unanswered: Arc<AtomicUsize>,
        most_unanswered: usize,
    ) -> Arc<Self> {
        // It counts from the first phase on, which begins below.
        let (phase, since) = (Phase::Closing, Instant::now());
        let progress =
            Mutex::new(Progress { phase, since, discarded: 0, is_asked: false, is_blocked: false, waker: None });
        let this = |this: &Weak<Self>| Self { this: this.clone(), progress, places, unanswered, most_unanswered };
        let state = Arc::new_cyclic(this);
        state.change(&mut state.progress(), |progress| progress.phase = Phase::Head);
        state
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a phase, unless the connection is closing.
    fn begin(&self, progress: &mut Progress, phase: Phase) {
        if progress.phase == Phase::Closing {
            return;
        }
        self.change(progress, |progress| {
            (progress.phase, progress.since) = (phase, Instant::now());
            // The client was as fast as it could.
            progress.is_asked &= matches!(phase, Phase::Head | Phase::Body | Phase::Unread);
        });
        if phase == Phase::Closing {
            progress.wake();
        }
    }

    /// Changes a connection, what it counts as, and when it gives way.
    fn change(&self, progress: &mut Progress, change: impl FnOnce(&mut Progress)) {
        let ((was_open, was_unanswered), turn) = (progress.counts(), self.turn(progress));
        change(progress);
        let (is_open, is_unanswered) = progress.counts();
        let counts = [(self.places.open(), was_open, is_open), (&*self.unanswered, was_unanswered, is_unanswered)];
        for (count, before, after) in counts {
            match (before, after) {
                (false, true) => drop(count.fetch_add(1, Ordering::Relaxed)),
                (true, false) => drop(count.fetch_sub(1, Ordering::Relaxed)),
                _ => {}
            }
        }
        self.places.change_turn(turn, self.turn(progress), &self.this);
    }

    /// Puts off the deadline: the client keeps sending or reading.
    fn put_off(&self, progress: &mut Progress) {
        self.change(progress, |progress| progress.since = Instant::now());
    }

    /// When it gives way; `None` if it does not, or was asked to already.
    fn turn(&self, progress: &Progress) -> Option<Turn> {
        let phase = match progress.phase {
            // To wait for the rest of a head and for that of a body is the same.
            Phase::Body => Phase::Head,
            _ if progress.is_stuck() => Phase::Writing,
            phase => phase,
        };
        let (since, id) = (progress.since, self.this.as_ptr().addr());
        (phase.gives_way() && !progress.is_yielding()).then_some(Turn { phase, since, id })
    }

    /// A handler gets a request.
    pub(super) fn request_began(&self, has_body: bool) {
        self.begin(&mut self.progress(), if has_body { Phase::Unread } else { Phase::Handling });
    }

    /// A handler waits for the rest of a body. From now on the client owes it.
    pub(super) fn body_awaited(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Unread {
            self.begin(&mut progress, Phase::Body);
            // There is a deadline now. The handler may wait in another task than the stream.
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

    /// The last byte of an answer is ready to be sent.
    pub(super) fn answer_ended(&self, body_was_read: bool) {
        let mut progress = self.progress();
        progress.discarded = 0;
        self.begin(&mut progress, if body_was_read { Phase::Writing } else { Phase::Lingering });
    }

    /// Bytes came.
    pub(super) fn received(&self, bytes: usize) {
        let mut progress = self.progress();
        match progress.phase {
            Phase::Idle if bytes > 0 => self.begin(&mut progress, Phase::Head),
            Phase::Body => self.put_off(&mut progress),
            Phase::Lingering => progress.discarded += bytes,
            _ => {}
        }
    }

    /// The client took bytes.
    pub(super) fn sent(&self) {
        let mut progress = self.progress();
        self.change(&mut progress, |progress| {
            progress.is_blocked = false;
            // A head has its time as a whole.
            if progress.phase != Phase::Head {
                progress.since = Instant::now();
            }
        });
    }

    /// The client does not take the bytes that are ready for it. If others need its place, one gives way: they may have come
    /// while this connection looked busy.
    pub(super) fn blocked(&self) {
        let mut progress = self.progress();
        if progress.is_blocked {
            return;
        }
        self.change(&mut progress, |progress| (progress.is_blocked, progress.since) = (true, Instant::now()));
        drop(progress);
        if self.is_crowded() {
            self.places.make_room();
        }
    }

    /// Whether others need the place of a connection whose request is answered.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.is_crowded()
    }

    /// The client took all there is. If others have come to need its place since the head of the answer was made, the
    /// connection closes like any idle one that gives way.
    pub(super) fn flushed(&self) {
        let mut progress = self.progress();
        if progress.phase == Phase::Writing {
            self.begin(&mut progress, Phase::Idle);
            if self.is_crowded() {
                self.ask(&mut progress);
            }
        }
    }

    /// How much more may be read.
    pub(super) fn may_read(&self) -> usize {
        let progress = self.progress();
        match progress.phase {
            Phase::Lingering => LINGER_BYTES.saturating_sub(progress.discarded),
            _ => usize::MAX,
        }
    }

    /// When the connection has stood still for too long; `None` while it waits for a handler. The task with this waker is
    /// woken if it is asked to close before. `true` if that moment may come sooner: when the client has too many others.
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
        let is_owed = progress.is_owed();
        let is_one_too_many = is_owed && self.unanswered.load(Ordering::Relaxed) > self.most_unanswered;
        let limit = if is_one_too_many { limit.min(GRACE_OF_A_CROWD) } else { limit };
        Some((progress.since + limit, is_owed))
    }

    /// Asks the connection to close for another one; `false` if this is not its turn any more. What the client has sent
    /// already is read first: of many clients that connect at the same time, none has been read yet.
    pub(super) fn give_way(&self, turn: Turn) -> bool {
        let mut progress = self.progress();
        if self.turn(&progress) != Some(turn) {
            return false;
        }
        if matches!(progress.phase, Phase::Idle | Phase::Head | Phase::Body) {
            self.ask(&mut progress);
        } else {
            self.begin(&mut progress, Phase::Closing);
        }
        true
    }

    /// Has the stream close as soon as there is nothing more to read from the client.
    fn ask(&self, progress: &mut Progress) {
        self.change(progress, |progress| progress.is_asked = true);
        progress.wake();
    }

    /// Whether it closes as soon as there is nothing more to read from the client.
    pub(super) fn is_yielding(&self) -> bool {
        self.progress().is_yielding()
    }

    /// Closes the connection. Its task is woken only when this begins: a flush may call it again and again, and while the
    /// buffers in front of the handler are full, actix-http does not read the end of the stream.
    pub(super) fn close(&self) {
        self.begin(&mut self.progress(), Phase::Closing);
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
            self.answer_ended(true);
            self.flushed();
        }
    }

    #[test]
    fn connections_give_way_by_what_they_wait_for_and_then_by_how_long() {
        // Ten connections have room.
        let places = Arc::new(Places::new(11));
        let connection = || State::begin_connection(places.clone(), Arc::default(), usize::MAX);
        let [handling, unread, writing, body, head, later_head, last_head, idle, later_idle, lingering] =
            std::array::from_fn(|_| connection());
        handling.request_began(false);
        unread.request_began(true);
        writing.request_began(false);
        writing.answer_ended(true);
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
        lingering.answer_ended(false);
        let order = [lingering, idle, later_idle, head, later_head, body, last_head, writing, unread, handling];
        let mut others = Vec::new();
        for gone in 0..10 {
            let open: Vec<_> = order.iter().map(|state| state.is_open()).collect();
            // Those whose handlers are at work never do.
            assert_eq!(open, std::array::from_fn::<_, 10, _>(|n| n >= gone.min(8)));
            places.make_room();
            others.push(connection());
            others[gone].request_began(false);
        }
    }
}
