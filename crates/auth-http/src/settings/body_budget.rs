//! The memory that the bodies of all requests together may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::OWN_BODY_LIMIT;

/// Limit on the bytes of request bodies in memory, over all requests, since many clients can send bodies slowly at the same
/// time. Clones share one budget.
///
/// A body of more than [`OWN_BODY_LIMIT`] bytes may use only three quarters of the budget, so that long bodies leave room
/// for logins.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl BodyBudget {
    /// Creates a budget of `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        Self { bytes, used: Arc::default() }
    }

    /// Returns the share of one request, which is initially empty.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Default for BodyBudget {
    /// 64 MiB.
    fn default() -> Self {
        Self::new(64 << 20)
    }
}

/// Compares the limits, not how much is in use.
impl PartialEq for BodyBudget {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for BodyBudget {}

/// The part of the budget that one request uses, returned on drop.
#[derive(Debug)]
pub(crate) struct Share {
    budget: BodyBudget,
    bytes: usize,
}

impl Share {
    /// Reserves `bytes` more; returns `false` and reserves nothing if not enough is left.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let is_long = self.bytes + bytes > OWN_BODY_LIMIT;
        let most = if is_long { self.budget.bytes / 4 * 3 } else { self.budget.bytes };
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= most);
        let is_reserved = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if is_reserved {
            self.bytes += bytes;
        }
        is_reserved
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_share_is_returned_to_the_budget() {
        let budget = BodyBudget::new(100);
        let (mut one, mut other) = (budget.share(), budget.clone().share());
        assert!(one.grow(60) && other.grow(30) && one.grow(10));
        assert!(!one.grow(1) && !other.grow(1));
        drop(one);
        assert!(other.grow(70) && !other.grow(1));
        drop(other);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn long_bodies_leave_room_for_short_ones() {
        let budget = BodyBudget::new(4 * OWN_BODY_LIMIT);
        let (mut long, mut short) = (budget.share(), budget.share());
        assert!(long.grow(3 * OWN_BODY_LIMIT) && !long.grow(1));
        assert!(short.grow(OWN_BODY_LIMIT) && !short.grow(1));
    }
}
