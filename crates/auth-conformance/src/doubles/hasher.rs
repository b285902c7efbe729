//! Password "hashes" that cost nothing and protect nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use auth_accounts::password::{CheckedPassword, PasswordHash, RawPassword};
use auth_accounts::ports::{HashError, PasswordHasher, QueueShare, Verdict};

/// **Protects nothing**: the "hash" of a password is `plain$` followed by the password, so that tests need not wait.
///
/// Hashes with a prefix that was declared [outdated](Self::set_outdated) are accepted too, and reported as due for an
/// upgrade.
#[derive(Debug, Default)]
pub struct PlainHasher {
    outdated: Mutex<Option<String>>,
    verifications: AtomicUsize,
}

impl PlainHasher {
    /// The prefix of its hashes.
    pub const PREFIX: &'static str = "plain$";

    /// Treats hashes with this prefix as outdated from now on: with `old$`, the hash of `secret` is `old$secret`.
    pub fn set_outdated(&self, prefix: impl Into<String>) {
        *self.outdated.lock().unwrap_or_else(PoisonError::into_inner) = Some(prefix.into());
    }

    /// The number of verifications so far, including those without a hash.
    pub fn verifications(&self) -> usize {
        self.verifications.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl PasswordHasher for PlainHasher {
    async fn hash(&self, password: &CheckedPassword, _: QueueShare) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new(format!("{}{}", Self::PREFIX, password.raw().expose())))
    }

    async fn verify(&self, password: &RawPassword, hash: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        self.verifications.fetch_add(1, Ordering::SeqCst);
        let outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_of = |prefix: &str| hash.and_then(|h| h.expose().strip_prefix(prefix)) == Some(password.expose());
        Ok(if outdated.as_deref().is_some_and(is_of) {
            Verdict::RightButOutdated
        } else if is_of(Self::PREFIX) {
            Verdict::Right
        } else {
            Verdict::Wrong
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_of;
    use auth_accounts::password::PasswordPolicy;

    #[tokio::test]
    async fn returns_each_verdict() {
        let hasher = PlainHasher::default();
        hasher.set_outdated("old$");
        let old = PasswordHash::new("old$secret");
        for (typed, hash, expected) in [
            ("secret", Some(&hash_of("secret")), Verdict::Right),
            ("secret", Some(&old), Verdict::RightButOutdated),
            ("Secret", Some(&hash_of("secret")), Verdict::Wrong),
            ("Secret", Some(&old), Verdict::Wrong),
            ("secret", Some(&PasswordHash::new("secret")), Verdict::Wrong),
            ("", None, Verdict::Wrong),
        ] {
            assert_eq!(hasher.verify(&RawPassword::new(typed), hash).await.unwrap(), expected, "{typed:?}");
        }
        assert_eq!(hasher.verifications(), 6);
    }

    #[tokio::test]
    async fn hashes_as_the_builder_does() {
        let password = PasswordPolicy::default().check(RawPassword::new("Correct-horse-42"), &[]).unwrap();
        assert_eq!(
            PlainHasher::default().hash(&password, QueueShare::Whole).await.unwrap(),
            hash_of("Correct-horse-42")
        );
    }
}
