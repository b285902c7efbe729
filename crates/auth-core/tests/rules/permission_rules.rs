//! Laws of permission rules, checked with generated rules and every possible attempt.

use auth_core::permission::Rule::{self, *};
use auth_core::permission::{Attempt, Decision, Ownership, Requester};
use proptest::prelude::*;

const ROLES: [&str; 3] = ["a", "b", "c"];

fn leaf() -> impl Strategy<Value = Rule> {
    prop_oneof![
        1 => Just(AllowAny),
        2 => Just(IsAuthenticated),
        2 => Just(IsAdmin),
        2 => Just(IsAuthenticatedOrReadOnly),
        4 => Just(IsOwner),
        4 => prop::sample::select(ROLES.as_slice()).prop_map(Rule::role),
    ]
}

/// Rules composed without the operators, so that empty lists, lists of one part and double negations occur.
fn composed(leaf: impl Strategy<Value = Rule> + 'static) -> impl Strategy<Value = Rule> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(All),
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Any),
            1 => inner.prop_map(|rule| Not(Box::new(rule))),
        ]
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    composed(leaf())
}

/// Rules that consist of empty lists only.
fn hollow() -> impl Strategy<Value = Rule> {
    composed(prop_oneof![Just(All(vec![])), Just(Any(vec![]))])
}

/// Every combination of `is_staff` and roles, and no requester.
fn requesters() -> Vec<Option<Requester>> {
    let subsets = (0..1_u32 << ROLES.len()).map(|chosen| {
        (0..ROLES.len()).filter(move |index| chosen & (1 << index) != 0).map(|index| ROLES[index].to_owned())
    });
    let combinations = subsets.flat_map(|roles| {
        let roles = roles.collect();
        [Requester { is_staff: false, roles }]
            .into_iter()
            .flat_map(|plain| [Some(Requester { is_staff: true, ..plain.clone() }), Some(plain)])
    });
    combinations.chain([None]).collect()
}

/// Calls `check` with every possible attempt.
fn each_attempt(mut check: impl FnMut(&Attempt<'_>) -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    for requester in &requesters() {
        for is_safe in [false, true] {
            for ownership in [Ownership::Unknown, Ownership::Owner, Ownership::Stranger] {
                check(&Attempt { requester: requester.as_ref(), is_safe, ownership })?;
            }
        }
    }
    Ok(())
}

/// A decision without the leaf that refused, which depends on the order of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Allowed,
    Undecided,
    Denied,
}

fn kind(rule: &Rule, attempt: &Attempt<'_>) -> Kind {
    match rule.decide(attempt) {
        Decision::Allowed => Kind::Allowed,
        Decision::Undecided => Kind::Undecided,
        Decision::Denied(_) => Kind::Denied,
    }
}

/// Checks that two rules have the same decision for every possible attempt.
fn equivalent(left: &Rule, right: &Rule) -> Result<(), TestCaseError> {
    each_attempt(|attempt| {
        prop_assert_eq!(kind(left, attempt), kind(right, attempt), "{} and {} for {:?}", left, right, attempt);
        Ok(())
    })
}

fn has_empty_list(rule: &Rule) -> bool {
    match rule {
        All(rules) | Any(rules) => rules.is_empty() || rules.iter().any(has_empty_list),
        Not(rule) => has_empty_list(rule),
        _ => false,
    }
}

/// Evaluates a rule in two-valued logic, for a known ownership.
fn boolean_logic(rule: &Rule, attempt: &Attempt<'_>) -> bool {
    let requester = attempt.requester;
    match rule {
        AllowAny => true,
        IsAuthenticated => requester.is_some(),
        IsAdmin => requester.is_some_and(|requester| requester.is_staff),
        IsAuthenticatedOrReadOnly => attempt.is_safe || requester.is_some(),
        IsOwner => attempt.ownership == Ownership::Owner && requester.is_some(),
        Role(name) => requester.is_some_and(|requester| requester.roles.iter().any(|role| role == name)),
        All(rules) => rules.iter().all(|rule| boolean_logic(rule, attempt)),
        Any(rules) => rules.iter().any(|rule| boolean_logic(rule, attempt)),
        Not(rule) => !boolean_logic(rule, attempt),
    }
}

/// Parses a displayed rule with the precedence of Rust. Role names must not contain quotes, separators or parentheses.
fn parse(source: &str) -> Rule {
    /// Splits at the separators that are outside of parentheses.
    fn split<'a>(source: &'a str, separator: &str) -> Vec<&'a str> {
        let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
        for (index, byte) in source.bytes().enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ if depth == 0 && source[index..].starts_with(separator) => {
                    parts.push(&source[start..index]);
                    start = index + separator.len();
                }
                _ => {}
            }
        }
        parts.push(&source[start..]);
        parts
    }
    let of = |parts: Vec<&str>| parts.into_iter().map(parse).collect::<Vec<_>>();
    match (split(source, " | "), split(source, " & ")) {
        (parts, _) if parts.len() > 1 => Any(of(parts)),
        (_, parts) if parts.len() > 1 => All(of(parts)),
        _ => match source {
            "nobody" => Any(vec![]),
            "AllowAny" => AllowAny,
            "IsAuthenticated" => IsAuthenticated,
            "IsAdmin" => IsAdmin,
            "IsAuthenticatedOrReadOnly" => IsAuthenticatedOrReadOnly,
            "IsOwner" => IsOwner,
            _ => {
                let inside =
                    |prefix, suffix| source.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix(suffix));
                match (inside("!", ""), inside("role(\"", "\")"), inside("(", ")")) {
                    (Some(rest), ..) => !parse(rest),
                    (_, Some(name), _) => Rule::role(name.to_owned()),
                    (.., Some(rest)) => parse(rest),
                    _ => panic!("not a rule: {source}"),
                }
            }
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn de_morgans_laws_hold(a in rule(), b in rule()) {
        equivalent(&!(a.clone() & b.clone()), &(!a.clone() | !b.clone()))?;
        equivalent(&!(a.clone() | b.clone()), &(!a & !b))?;
    }

    #[test]
    fn a_double_negation_has_no_effect(a in rule()) {
        equivalent(&Not(Box::new(Not(Box::new(a.clone())))), &a)?;
        equivalent(&!!a.clone(), &a)?;
    }

    #[test]
    fn operators_are_idempotent(a in rule()) {
        equivalent(&(a.clone() | a.clone()), &a)?;
        equivalent(&(a.clone() & a.clone()), &a)?;
    }

    #[test]
    fn operators_are_commutative(a in rule(), b in rule()) {
        equivalent(&(a.clone() | b.clone()), &(b.clone() | a.clone()))?;
        equivalent(&(a.clone() & b.clone()), &(b & a))?;
    }

    #[test]
    fn operators_are_associative_and_distributive(a in rule(), b in rule(), c in rule()) {
        equivalent(&((a.clone() | b.clone()) | c.clone()), &(a.clone() | (b.clone() | c.clone())))?;
        equivalent(&((a.clone() & b.clone()) & c.clone()), &(a.clone() & (b.clone() & c.clone())))?;
        equivalent(&(a.clone() & (b.clone() | c.clone())), &(a.clone() & b | a & c))?;
    }

    #[test]
    fn operators_are_absorptive(a in rule(), b in rule()) {
        equivalent(&(a.clone() | a.clone() & b.clone()), &a)?;
        equivalent(&(a.clone() & (a.clone() | b)), &a)?;
    }

    /// Also under a negation, and with empty lists.
    #[test]
    fn operators_are_equivalent_to_lists(a in rule(), b in rule()) {
        for (built, written) in [
            (a.clone() | b.clone(), Any(vec![a.clone(), b.clone()])),
            (a.clone() & b.clone(), All(vec![a.clone(), b.clone()])),
        ] {
            equivalent(&built, &written)?;
            equivalent(&Not(Box::new(built)), &Not(Box::new(written)))?;
        }
        equivalent(&!a.clone(), &Not(Box::new(a)))?;
    }

    #[test]
    fn rules_without_empty_lists_follow_boolean_logic(a in rule().prop_filter("no empty list", |rule| !has_empty_list(rule))) {
        each_attempt(|attempt| {
            if attempt.ownership != Ownership::Unknown {
                prop_assert_eq!(kind(&a, attempt) == Kind::Allowed, boolean_logic(&a, attempt), "{} for {:?}", a, attempt);
            }
            Ok(())
        })?;
    }

    #[test]
    fn empty_lists_refuse_every_attempt(empty in hollow(), a in rule()) {
        each_attempt(|attempt| {
            prop_assert_eq!(kind(&empty, attempt), Kind::Denied);
            Ok(())
        })?;
        prop_assert!(empty.allows_nobody() && (empty.clone() & a.clone()).allows_nobody());
        equivalent(&(empty.clone() | a.clone()), &a)?;
        equivalent(&!(empty & a.clone()), &!a)?;
    }

    #[test]
    fn decisions_without_ownership_are_final(a in rule()) {
        each_attempt(|attempt| {
            let early = kind(&a, &Attempt { ownership: Ownership::Unknown, ..*attempt });
            let now = kind(&a, attempt);
            prop_assert!(early == Kind::Undecided || early == now, "{}: {:?}, then {:?}", a, early, now);
            Ok(())
        })?;
    }

    #[test]
    fn a_rule_is_undecided_only_while_ownership_is_unknown(a in rule()) {
        each_attempt(|attempt| {
            let is_undecided = kind(&a, attempt) == Kind::Undecided;
            prop_assert!(!is_undecided || a.needs_object() && attempt.ownership == Ownership::Unknown, "{}", a);
            Ok(())
        })?;
    }

    #[test]
    fn allows_nobody_holds_exactly_for_rules_that_refuse_every_attempt(a in rule()) {
        let nobody = a.allows_nobody();
        let mut denies_all = true;
        each_attempt(|attempt| {
            let kind = kind(&a, attempt);
            prop_assert!(!nobody || kind != Kind::Allowed, "{} for {:?}", a, attempt);
            denies_all &= kind == Kind::Denied || attempt.ownership == Ownership::Unknown;
            Ok(())
        })?;
        prop_assert_eq!(nobody, denies_all, "{}", a);
    }

    /// The leaf alone refuses the attempt, is displayed in the rule, and is not a list of parts.
    #[test]
    fn the_leaf_of_a_denial_refuses_by_itself(a in rule()) {
        each_attempt(|attempt| {
            if let Decision::Denied(denial) = a.decide(attempt) {
                let shown = denial.to_string();
                prop_assert!(a.to_string().contains(&shown) && !shown.contains([' ']), "{} of {}", shown, a);
                prop_assert_eq!(denial.leaf().decide(attempt), Decision::Denied(denial.clone()));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_displayed_rule_parses_as_an_equivalent_rule(a in rule()) {
        let shown = a.to_string();
        let parsed = parse(&shown);
        equivalent(&parsed, &a)?;
        equivalent(&Not(Box::new(parsed.clone())), &Not(Box::new(a)))?;
        prop_assert_eq!(parsed.to_string(), shown);
    }
}
