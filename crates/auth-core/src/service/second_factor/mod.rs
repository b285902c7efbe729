//! Second factors: what is asked of somebody, and how they switch one on and off.

mod challenge;
mod enrolment;

pub(super) use challenge::{Expected, Proven};
pub use challenge::{SecondFactorChallenge, Shown};
pub use enrolment::{ConfirmedFactor, Enrolment, FactorStatus};

use crate::service::context::Context;
use crate::service::{AccountPolicy, Ports};

/// Second factors of accounts.
#[derive(Clone)]
pub struct SecondFactorService {
    ports: Ports,
    policy: AccountPolicy,
}

impl SecondFactorService {
    /// A service on these adapters.
    pub const fn new(ports: Ports, policy: AccountPolicy) -> Self {
        Self { ports, policy }
    }

    const fn context(&self) -> Context<'_> {
        Context { ports: &self.ports, policy: &self.policy }
    }
}
