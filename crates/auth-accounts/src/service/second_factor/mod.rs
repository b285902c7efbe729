//! Second factors: what is asked of somebody, and how they switch one on and off.

mod challenge;
mod enrolment;

pub(super) use std::sync::Arc;

pub(in crate::service) use challenge::{Expected, Proven};
pub use challenge::{Reauthentication, SecondFactorChallenge};
pub use enrolment::{ConfirmedFactor, Enrolment, FactorStatus};

use crate::service::context::AccountContext;

/// Second factors of accounts.
#[derive(Clone)]
pub struct SecondFactorService {
    context: Arc<AccountContext>,
}

impl SecondFactorService {
    /// The service of this context.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }
}
