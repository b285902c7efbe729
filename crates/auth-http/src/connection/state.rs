//! What one connection is waiting for, and since when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

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
    progress: Mutex<Progress>,
    /// How many connections are open and not closing.
    open: Arc<AtomicUsize>,
    /// On how many connections the same client owes the rest of a request.
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
    waker: Option<Waker>,
}

impl Progress {
    /// Whether it counts as open, and as one whose client owes the rest of a request.
    const fn counts(&self) -> (bool, bool) {
        let is_open = !self.is_yielding() && !matches!(self.phase, Phase::Closing);
        (is_open, is_open && self.phase.is_unanswered())
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
    pub(super) fn new(open: Arc<AtomicUsize>, unanswered: Arc<AtomicUsize>, most_unanswered: usize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        unanswered.fetch_add(1, Ordering::Relaxed);
        let (phase, since) = (Phase::Head, Instant::now());
        let progress = Progress { phase, since, discarded: 0, is_asked: false, waker: None };
        Self { progress: Mutex::new(progress), open, unanswered, most_unanswered }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a phase, unless the connection is closing.
    fn begin(&self, progress: &mut Progress, phase: Phase) {
        if progress.phase == Phase::Closing {
            return;
        }
        self.count_as(progress, |progress| {
            (progress.phase, progress.since) = (phase, Instant::now());
            // The client was as fast as it could.
            progress.is_asked &= matches!(phase, Phase::Head | Phase::Body | Phase::Unread);
        });
        if phase == Phase::Closing {
            progress.wake();
        }
    }

    /// Changes a connection, and what it counts as.
    fn count_as(&self, progress: &mut Progress, change: impl FnOnce(&mut Progress)) {
        let (was_open, was_unanswered) = progress.counts();
        change(progress);
        let (is_open, is_unanswered) = progress.counts();
        let counts = [(&self.open, was_open, is_open), (&self.unanswered, was_unanswered, is_unanswered)];
        for (count, before, after) in counts {
            match (before, after) {
                (false, true) => drop(count.fetch_add(1, Ordering::Relaxed)),
                (true, false) => drop(count.fetch_sub(1, Ordering::Relaxed)),
                _ => {}
            }
        }
    }

    /// The phase and when it began; `None` if the connection is closing, or will.
    pub(super) fn phase(&self) -> Option<(Phase, Instant)> {
        let progress = self.progress();
        progress.counts().0.then_some((progress.phase, progress.since))
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
            Phase::Body => progress.since = Instant::now(),
            Phase::Lingering => progress.discarded += bytes,
            _ => {}
        }
    }

    /// The client took bytes.
    pub(super) fn sent(&self) {
        let mut progress = self.progress();
        // A head has its time as a whole.
        if progress.phase != Phase::Head {
            progress.since = Instant::now();
        }
    }

    /// The client took all there is. The connection closes if others need its place.
    pub(super) fn flushed(&self, is_crowded: bool) {
        let mut progress = self.progress();
        if progress.phase == Phase::Writing {
            self.begin(&mut progress, if is_crowded { Phase::Closing } else { Phase::Idle });
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
    pub(super) fn deadline(
        &self,
        limits: &ConnectionLimits,
        is_writing: bool,
        waker: &Waker,
    ) -> Option<(Instant, bool)> {
        let mut progress = self.progress();
        if !progress.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            progress.waker = Some(waker.clone());
        }
        let limit = match progress.phase {
            Phase::Lingering => LINGER,
            Phase::Idle => limits.keep_alive + GRACE,
            Phase::Head => limits.header_timeout + GRACE,
            Phase::Body | Phase::Writing => limits.idle_timeout,
            Phase::Unread | Phase::Handling if is_writing => limits.idle_timeout,
            Phase::Unread | Phase::Handling => return None,
            Phase::Closing => Duration::ZERO,
        };
        let is_unanswered = progress.phase.is_unanswered();
        let is_one_too_many = is_unanswered && self.unanswered.load(Ordering::Relaxed) > self.most_unanswered;
        let limit = if is_one_too_many { limit.min(GRACE_OF_A_CROWD) } else { limit };
        Some((progress.since + limit, is_unanswered))
    }

    /// Asks the connection to close for another one. What the client has sent already is read first: of many clients that
    /// connect at the same time, none has been read yet.
    pub(super) fn give_way(&self) {
        let mut progress = self.progress();
        if !matches!(progress.phase, Phase::Idle | Phase::Head | Phase::Body) {
            drop(progress);
            return self.close();
        }
        self.count_as(&mut progress, |progress| progress.is_asked = true);
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
