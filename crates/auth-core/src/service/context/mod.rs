//! What several use cases share: limits of [`attempts`], [`emails`], and the password of a user who is logged in
//! ([`passwords`]).

mod attempts;
mod emails;
mod passwords;

use crate::service::{AccountPolicy, Ports};

/// The adapters and the policy of accounts, for one use-case.
#[derive(Clone, Copy)]
pub(in crate::service) struct Context<'a> {
    pub(in crate::service) ports: &'a Ports,
    pub(in crate::service) policy: &'a AccountPolicy,
}
