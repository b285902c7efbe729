//! A vault that counts what it compares.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_conformance::PlainVault;
use auth_core::ports::{SealError, Vault};
use auth_core::secret::{Mac, MacPurpose, Sealed};

/// A [`PlainVault`] that counts.
#[derive(Debug, Default)]
pub struct CountingVault {
    inner: PlainVault,
    comparisons: Mutex<HashMap<MacPurpose, usize>>,
    numbers: AtomicUsize,
}

impl CountingVault {
    /// How many texts were compared with a keyed hash for this purpose.
    pub fn comparisons(&self, purpose: MacPurpose) -> usize {
        self.comparisons.lock().unwrap().get(&purpose).copied().unwrap_or_default()
    }

    /// How many codes of an authenticator were computed: three for each comparison.
    pub fn numbers(&self) -> usize {
        self.numbers.load(Ordering::SeqCst)
    }
}

impl Vault for CountingVault {
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac {
        self.inner.mac(purpose, message)
    }

    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool {
        *self.comparisons.lock().unwrap().entry(purpose).or_default() += 1;
        self.inner.matches(purpose, message, mac)
    }

    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        self.inner.seal(context, plain)
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        self.inner.open(context, sealed)
    }

    fn hotp(&self, secret: &[u8], counter: u64) -> u32 {
        self.numbers.fetch_add(1, Ordering::SeqCst);
        self.inner.hotp(secret, counter)
    }
}
