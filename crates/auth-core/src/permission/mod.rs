//! Who may do what: rules as values, and the decision they come to.
//!
//! A [`Rule`] is written with `|`, `&` and `!`, printed in the table of routes, and asked with what is known of an
//! [`Attempt`]. It does not find out who asks or who owns what, and does not choose the answer to a refusal: it names
//! the part that refused, and whether to answer 401 or 403 is the HTTP crate's to say.
//!
//! Ownership is often known only after the object has been loaded, so logic has three values here (Kleene's strong
//! logic): a rule that cannot do without the owner is [`Undecided`](Decision::Undecided) until it is told.
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
//! // Before the object is looked up, only the admin's case is settled.
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
