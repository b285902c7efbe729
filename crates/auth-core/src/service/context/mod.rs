//! What several use cases share: [limits of attempts](attempts), [emails](emails), and the
//! [password](passwords) of a user who is logged in.

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
