use std::fmt;

use super::{Attempt, Ownership, Rule};

/// The result of a rule for an attempt.
///
/// ```
/// use auth_core::permission::{Attempt, Decision, Ownership, Rule};
///
/// let attempt = Attempt { requester: None, is_safe: true, ownership: Ownership::Unknown };
/// assert_eq!(Rule::AllowAny.decide(&attempt), Decision::Allowed);
/// assert_eq!(Rule::IsOwner.decide(&attempt), Decision::Undecided);
/// assert!(matches!(Rule::IsAdmin.decide(&attempt), Decision::Denied(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// The request is allowed.
    Allowed,
    /// The decision depends on the owner of the object: load the object and decide again. Never the result once
    /// ownership is known.
    Undecided,
    /// The request is refused.
    Denied(Denial),
}

/// The part of a rule that refused an attempt: for the audit log, not for the client.
///
/// ```
/// use auth_core::permission::{Attempt, Decision, Ownership};
/// use auth_core::permission::Rule::*;
///
/// let attempt = Attempt { requester: None, is_safe: true, ownership: Ownership::Unknown };
/// let Decision::Denied(denial) = (AllowAny & IsAuthenticated & IsAdmin).decide(&attempt) else { unreachable!() };
/// assert_eq!(denial.leaf(), &IsAuthenticated);
/// assert_eq!(denial.to_string(), "IsAuthenticated");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    leaf: Rule,
}

impl Denial {
    /// The leaf that refused, its negation, or an empty list. In an [`All`](Rule::All) it is the first part that
    /// refused, in an [`Any`](Rule::Any), where all parts refuse, the last.
    pub fn leaf(&self) -> &Rule {
        &self.leaf
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leaf.fmt(f)
    }
}

impl Rule {
    /// Decides an attempt. A decision made while ownership is unknown holds for every ownership.
    ///
    /// ```
    /// use auth_core::permission::{Attempt, Decision, Ownership, Requester};
    /// use auth_core::permission::Rule::*;
    ///
    /// let rule = IsAuthenticated & !IsOwner;
    /// let user = Requester::default();
    /// let decide = |ownership| rule.decide(&Attempt { requester: Some(&user), is_safe: false, ownership });
    /// assert_eq!(decide(Ownership::Unknown), Decision::Undecided);
    /// assert_eq!(decide(Ownership::Stranger), Decision::Allowed);
    /// ```
    pub fn decide(&self, attempt: &Attempt<'_>) -> Decision {
        let verdict = self.evaluate(false, attempt);
        match verdict.truth {
            Truth::False if verdict.negated => Decision::Denied(Denial { leaf: !verdict.leaf.clone() }),
            Truth::False => Decision::Denied(Denial { leaf: verdict.leaf.clone() }),
            Truth::Unknown => Decision::Undecided,
            Truth::True => Decision::Allowed,
        }
    }

    /// Evaluates the rule, or its negation.
    fn evaluate(&self, negated: bool, attempt: &Attempt<'_>) -> Verdict<'_> {
        let requester = attempt.requester;
        let holds = match self {
            Self::Not(rule) => return rule.evaluate(!negated, attempt),
            Self::All(rules) | Self::Any(rules) => {
                let verdicts = rules.iter().map(|rule| rule.evaluate(negated, attempt));
                // Of equal elements, `min_by_key` returns the first and `max_by_key` the last.
                let decisive = if matches!(self, Self::All(_)) != negated {
                    verdicts.min_by_key(|verdict| verdict.truth)
                } else {
                    verdicts.max_by_key(|verdict| verdict.truth)
                };
                return decisive.unwrap_or(Verdict { truth: Truth::False, leaf: self, negated: false });
            }
            Self::AllowAny => Some(true),
            Self::IsAuthenticated => Some(requester.is_some()),
            Self::IsAdmin => Some(requester.is_some_and(|requester| requester.is_staff)),
            Self::IsAuthenticatedOrReadOnly => Some(attempt.is_safe || requester.is_some()),
            Self::IsOwner => match attempt.ownership {
                Ownership::Unknown => None,
                Ownership::Owner => Some(requester.is_some()),
                Ownership::Stranger => Some(false),
            },
            Self::Role(name) => Some(requester.is_some_and(|requester| requester.roles.contains(name.as_ref()))),
        };
        let truth = match holds {
            None => Truth::Unknown,
            Some(holds) if holds != negated => Truth::True,
            Some(_) => Truth::False,
        };
        Verdict { truth, leaf: self, negated }
    }
}

/// The values of Kleene's three-valued logic in ascending order: "and" is the minimum of its parts, "or" the maximum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    False,
    Unknown,
    True,
}

/// The value of a rule, and the leaf that decided it.
struct Verdict<'r> {
    truth: Truth,
    leaf: &'r Rule,
    negated: bool,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::Rule::{self, *};
    use super::*;
    use crate::permission::Requester;

    fn requester(is_staff: bool, roles: &[&str]) -> Requester {
        Requester { is_staff, roles: roles.iter().map(|&name| name.to_owned()).collect() }
    }

    fn role(name: &'static str) -> Rule {
        Rule::role(name)
    }

    /// The decisions of a rule for one requester, a letter each: for an unsafe method with ownership unknown, owner,
    /// stranger, then for a safe method with the same.
    fn decisions(rule: &Rule, requester: Option<&Requester>) -> String {
        let mut letters = String::new();
        for is_safe in [false, true] {
            for ownership in [Ownership::Unknown, Ownership::Owner, Ownership::Stranger] {
                let letter = match rule.decide(&Attempt { requester, is_safe, ownership }) {
                    Decision::Allowed => 'A',
                    Decision::Undecided => '?',
                    Decision::Denied(_) => '-',
                };
                letters.push(letter);
            }
            write!(letters, "{}", if is_safe { "" } else { " " }).unwrap();
        }
        letters
    }

    #[test]
    fn decisions_of_every_leaf_and_composition() {
        let user = requester(false, &[]);
        let editor = requester(false, &["editor", "author"]);
        let staff = requester(true, &[]);
        let chief = requester(true, &["editor"]);
        // Columns: not authenticated, a user, a user with roles, staff, staff with a role.
        for (rule, expected) in [
            (AllowAny, ["AAA AAA", "AAA AAA", "AAA AAA", "AAA AAA", "AAA AAA"]),
            (IsAuthenticated, ["--- ---", "AAA AAA", "AAA AAA", "AAA AAA", "AAA AAA"]),
            (IsAdmin, ["--- ---", "--- ---", "--- ---", "AAA AAA", "AAA AAA"]),
            (IsAuthenticatedOrReadOnly, ["--- AAA", "AAA AAA", "AAA AAA", "AAA AAA", "AAA AAA"]),
            (IsOwner, ["?-- ?--", "?A- ?A-", "?A- ?A-", "?A- ?A-", "?A- ?A-"]),
            (role("editor"), ["--- ---", "--- ---", "AAA AAA", "--- ---", "AAA AAA"]),
            (role("Editor"), ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!AllowAny, ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!IsAuthenticated, ["AAA AAA", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!IsAdmin, ["AAA AAA", "AAA AAA", "AAA AAA", "--- ---", "--- ---"]),
            (!IsAuthenticatedOrReadOnly, ["AAA ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!IsOwner, ["?AA ?AA", "?-A ?-A", "?-A ?-A", "?-A ?-A", "?-A ?-A"]),
            (!role("editor"), ["AAA AAA", "AAA AAA", "--- ---", "AAA AAA", "--- ---"]),
            // Empty lists, alone and in compositions.
            (All(vec![]), ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (Any(vec![]), ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!All(vec![]), ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (!Any(vec![]), ["--- ---", "--- ---", "--- ---", "--- ---", "--- ---"]),
            (IsAdmin | All(vec![]), ["--- ---", "--- ---", "--- ---", "AAA AAA", "AAA AAA"]),
            (!(IsAdmin & Any(vec![])), ["AAA AAA", "AAA AAA", "AAA AAA", "--- ---", "--- ---"]),
            // Common compositions.
            (IsOwner | IsAdmin, ["?-- ?--", "?A- ?A-", "?A- ?A-", "AAA AAA", "AAA AAA"]),
            (IsAuthenticated & IsOwner, ["--- ---", "?A- ?A-", "?A- ?A-", "?A- ?A-", "?A- ?A-"]),
            (IsAuthenticatedOrReadOnly & !role("author"), ["--- AAA", "AAA AAA", "--- ---", "AAA AAA", "AAA AAA"]),
        ] {
            let requesters = [None, Some(&user), Some(&editor), Some(&staff), Some(&chief)];
            assert_eq!(requesters.map(|requester| decisions(&rule, requester)), expected, "{rule}");
        }
    }

    #[test]
    fn a_denial_names_the_leaf_that_refused() {
        let user = requester(false, &["banned"]);
        for (rule, ownership, expected) in [
            (IsAdmin, Ownership::Unknown, "IsAdmin"),
            (role("editor"), Ownership::Unknown, r#"role("editor")"#),
            (!IsAuthenticated, Ownership::Unknown, "!IsAuthenticated"),
            // In `All`, the first that refuses.
            (IsAuthenticated & IsAdmin & role("editor"), Ownership::Unknown, "IsAdmin"),
            (IsAuthenticated & !role("banned") & IsAdmin, Ownership::Unknown, r#"!role("banned")"#),
            (IsOwner & IsAdmin, Ownership::Unknown, "IsAdmin"),
            (IsOwner & IsAdmin, Ownership::Owner, "IsAdmin"),
            (IsOwner & IsAdmin, Ownership::Stranger, "IsOwner"),
            // In `Any`, the last.
            (IsOwner | IsAdmin, Ownership::Stranger, "IsAdmin"),
            (IsAdmin | IsOwner, Ownership::Stranger, "IsOwner"),
            // Nested.
            (IsAuthenticated & (IsAdmin | role("editor")), Ownership::Unknown, r#"role("editor")"#),
            (IsAdmin | IsAuthenticated & !role("banned"), Ownership::Unknown, r#"!role("banned")"#),
            // Negated.
            (!(IsAuthenticated | IsAdmin), Ownership::Unknown, "!IsAuthenticated"),
            (!(AllowAny & IsAuthenticated), Ownership::Unknown, "!IsAuthenticated"),
            (!(!IsAdmin & IsAuthenticated), Ownership::Unknown, "!IsAuthenticated"),
            (Not(Box::new(Not(Box::new(IsAdmin)))), Ownership::Unknown, "IsAdmin"),
            // Empty lists.
            (All(vec![]), Ownership::Unknown, "nobody"),
            (Any(vec![]), Ownership::Unknown, "nobody"),
            (!All(vec![]), Ownership::Unknown, "nobody"),
            (IsAuthenticated & Any(vec![]) & IsAdmin, Ownership::Unknown, "nobody"),
            (IsAdmin | Any(vec![]), Ownership::Unknown, "nobody"),
            (Any(vec![]) | IsAdmin, Ownership::Unknown, "IsAdmin"),
        ] {
            let decision = rule.decide(&Attempt { requester: Some(&user), is_safe: true, ownership });
            let Decision::Denied(denial) = decision else { panic!("{rule}: {decision:?}") };
            assert_eq!(denial.to_string(), expected, "{rule}, {ownership:?}");
            assert_eq!(denial.leaf().to_string(), expected);
        }
    }

    #[test]
    fn the_leaf_of_a_denial_is_a_rule() {
        let user = Requester::default();
        let attempt = Attempt { requester: Some(&user), is_safe: true, ownership: Ownership::Stranger };
        for (rule, leaf) in [
            (IsOwner & IsAdmin, IsOwner),
            (IsAdmin | !IsAuthenticated, Not(Box::new(IsAuthenticated))),
            (Not(Box::new(Any(vec![]))), Any(vec![])),
        ] {
            assert_eq!(rule.decide(&attempt), Decision::Denied(Denial { leaf }), "{rule}");
        }
    }
}
