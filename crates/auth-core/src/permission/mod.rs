//! Permission rules as values, and their decisions.
//!
//! A [`Rule`] is composed with `|`, `&` and `!`, printed in the table of routes, and evaluated for an [`Attempt`]. It
//! does not authenticate the caller or look up the owner of an object. A refusal names the part of the rule that
//! refused; the HTTP crate chooses between 401 and 403.
//!
//! Ownership is often known only after the object has been loaded. Rules therefore follow Kleene's strong three-valued
//! logic: a rule that depends on the owner is [`Undecided`](Decision::Undecided) until ownership is known.
//!
//! ```
//! use auth_core::permission::Rule::*;
//! use auth_core::permission::{Attempt, Decision, Ownership, Requester};
//!
//! let rule = IsOwner | IsAdmin;
//! assert_eq!(rule.to_string(), "IsOwner | IsAdmin");
//!
//! let (user, admin) = (Requester::default(), Requester { is_staff: true, ..Requester::default() });
//! let decide = |requester, ownership| rule.decide(&Attempt { requester, is_safe: true, ownership });
//! assert_eq!(decide(Some(&user), Ownership::Owner), Decision::Allowed);
//! assert_eq!(decide(Some(&admin), Ownership::Stranger), Decision::Allowed);
//! assert!(matches!(decide(Some(&user), Ownership::Stranger), Decision::Denied(_)));
//! assert!(matches!(decide(None, Ownership::Stranger), Decision::Denied(_)));
//!
//! // Before the object is loaded, only the request of the admin is decided.
//! assert_eq!(decide(Some(&admin), Ownership::Unknown), Decision::Allowed);
//! assert_eq!(decide(Some(&user), Ownership::Unknown), Decision::Undecided);
//! assert_eq!(decide(None, Ownership::Unknown), Decision::Undecided);
//! ```

mod attempt;
mod evaluate;
mod reach;
mod rule;

pub use attempt::{Attempt, Ownership, Requester};
pub use evaluate::{Decision, Denial};
pub use rule::Rule;
