use std::collections::BTreeSet;

use super::{Attempt, Decision, Ownership, Requester, Rule};

/// How many role names are tried in all combinations; each further one doubles the work.
const MAX_ROLES: usize = 10;

impl Rule {
    /// Whether the rule refuses every attempt, which is most likely a mistake.
    ///
    /// Tries all combinations of roles, methods and ownership, so it is meant for start-up, not for each request.
    /// Returns `false` for a rule that names more than 10 roles.
    ///
    /// ```
    /// use auth_core::permission::Rule::*;
    /// assert!((IsAdmin & !IsAuthenticated).allows_nobody());
    /// assert!(Any(vec![]).allows_nobody());
    /// assert!(!(IsAdmin & !IsOwner).allows_nobody());
    /// ```
    pub fn allows_nobody(&self) -> bool {
        let mut names = BTreeSet::new();
        self.collect_roles(&mut names);
        if names.len() > MAX_ROLES {
            return false;
        }
        let allows =
            |requester: Option<&Requester>| attempts(requester).any(|it| self.decide(&it) == Decision::Allowed);
        !allows(None) && !requesters(&names).any(|requester| allows(Some(&requester)))
    }

    fn collect_roles<'r>(&'r self, names: &mut BTreeSet<&'r str>) {
        match self {
            Self::Role(name) => {
                names.insert(name);
            }
            Self::All(rules) | Self::Any(rules) => rules.iter().for_each(|rule| rule.collect_roles(names)),
            Self::Not(rule) => rule.collect_roles(names),
            Self::AllowAny
            | Self::IsAuthenticated
            | Self::IsAdmin
            | Self::IsAuthenticatedOrReadOnly
            | Self::IsOwner => {}
        }
    }
}

/// Every combination of `is_staff` and these roles.
fn requesters(names: &BTreeSet<&str>) -> impl Iterator<Item = Requester> {
    (0..1_u32 << names.len()).flat_map(move |chosen| {
        let has = |index: usize| chosen & (1 << index) != 0;
        let roles: BTreeSet<String> =
            names.iter().enumerate().filter(|(index, _)| has(*index)).map(|(_, &name)| name.to_owned()).collect();
        [false, true].map(|is_staff| Requester { is_staff, roles: roles.clone() })
    })
}

/// Every attempt of a requester, once ownership is known.
fn attempts(requester: Option<&Requester>) -> impl Iterator<Item = Attempt<'_>> {
    [false, true].into_iter().flat_map(move |is_safe| {
        [Ownership::Owner, Ownership::Stranger].map(|ownership| Attempt { requester, is_safe, ownership })
    })
}

#[cfg(test)]
mod tests {
    use super::MAX_ROLES;
    use super::Rule::{self, *};

    fn role(name: &'static str) -> Rule {
        Rule::role(name)
    }

    fn numbered(count: usize) -> Vec<Rule> {
        (0..count).map(|number| Rule::role(number.to_string())).collect()
    }

    #[test]
    fn rules_that_allow_nobody() {
        for (rule, expected) in [
            (AllowAny, false),
            (IsAuthenticated, false),
            (IsAdmin, false),
            (IsAuthenticatedOrReadOnly, false),
            (IsOwner, false),
            (role("a"), false),
            (!AllowAny, true),
            (!IsAuthenticated, false),
            (!IsAdmin, false),
            (!IsAuthenticatedOrReadOnly, false),
            (!IsOwner, false),
            (!role("a"), false),
            // Empty lists.
            (All(vec![]), true),
            (Any(vec![]), true),
            (!All(vec![]), true),
            (!Any(vec![]), true),
            (AllowAny & All(vec![]), true),
            (AllowAny | Any(vec![]), false),
            (!(AllowAny & All(vec![])), true),
            (All(vec![Any(vec![All(vec![])])]), true),
            // Contradictions.
            (IsAdmin & !IsAuthenticated, true),
            (IsOwner & !IsAuthenticated, true),
            (role("a") & !IsAuthenticated, true),
            (role("a") & !role("a"), true),
            (role("a") & !role("b"), false),
            (IsOwner & !IsOwner, true),
            (IsAuthenticated & !IsAuthenticatedOrReadOnly, true),
            (IsAuthenticatedOrReadOnly & !IsAuthenticated, false),
            (IsAdmin & !IsAdmin | role("a") & !role("a"), true),
            // Satisfied by one combination only.
            (IsAdmin & IsOwner & role("a") & role("b") & !role("c"), false),
            (IsAdmin & !IsOwner & !role("a"), false),
            (!IsAdmin & IsOwner & role("c"), false),
            // Up to the limit of roles, and beyond it.
            (All(numbered(MAX_ROLES)), false),
            (All(numbered(MAX_ROLES)) & !role("0"), true),
            (All(numbered(MAX_ROLES + 1)) & !role("0"), false),
            // A repeated name counts once.
            (All(numbered(MAX_ROLES)) & All(numbered(MAX_ROLES)) & !role("9"), true),
        ] {
            assert_eq!(rule.allows_nobody(), expected, "{rule}");
        }
    }
}
