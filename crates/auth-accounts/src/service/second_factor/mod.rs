//! Challenges, reauthentication, and enrolment of second factors.

mod challenge;
mod enrolment;

pub(super) use std::sync::Arc;

pub(in crate::service) use challenge::{AnsweredChallenge, Expected};
pub use challenge::{Reauthentication, SecondFactorChallenge};
pub use enrolment::{ConfirmedFactor, Enrolment, FactorStatus};

use crate::service::context::AccountContext;

/// Enrols and removes second factors, and issues challenges to logged-in users.
#[derive(Clone)]
pub struct SecondFactorService {
    context: Arc<AccountContext>,
}

impl SecondFactorService {
    /// Creates the service.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }
}
