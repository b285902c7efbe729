//! Laws of the permission rules, for rules of any shape and everything that can be attempted.

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

/// Built by hand, not with the operators: empty lists, lists of one and double negations occur.
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

/// Rules in which there is nothing but lists.
fn hollow() -> impl Strategy<Value = Rule> {
    composed(prop_oneof![Just(All(vec![])), Just(Any(vec![]))])
}

/// Nobody, and everybody who can be told apart.
fn requesters() -> Vec<Option<Requester>> {
    let subsets = (0..1_u32 << ROLES.len()).map(|chosen| {
        (0..ROLES.len()).filter(move |place| chosen & (1 << place) != 0).map(|place| ROLES[place].to_owned())
    });
    let everybody = subsets.flat_map(|roles| {
        let roles = roles.collect();
        [Requester { is_staff: false, roles }]
            .into_iter()
            .flat_map(|plain| [Some(Requester { is_staff: true, ..plain.clone() }), Some(plain)])
    });
    everybody.chain([None]).collect()
}

/// Calls `check` with everything that can be attempted.
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

/// A decision without the leaf: which of several refused depends on their order.
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

/// That two rules come to the same in everything that can be attempted.
fn alike(left: &Rule, right: &Rule) -> Result<(), TestCaseError> {
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

/// Two-valued logic as everybody knows it; only for a known ownership.
fn plain_logic(rule: &Rule, attempt: &Attempt<'_>) -> bool {
    let requester = attempt.requester;
    match rule {
        AllowAny => true,
        IsAuthenticated => requester.is_some(),
        IsAdmin => requester.is_some_and(|requester| requester.is_staff),
        IsAuthenticatedOrReadOnly => attempt.is_safe || requester.is_some(),
        IsOwner => attempt.ownership == Ownership::Owner && requester.is_some(),
        Role(name) => requester.is_some_and(|requester| requester.roles.iter().any(|role| role == name)),
        All(rules) => rules.iter().all(|rule| plain_logic(rule, attempt)),
        Any(rules) => rules.iter().any(|rule| plain_logic(rule, attempt)),
        Not(rule) => !plain_logic(rule, attempt),
    }
}

/// Reads a displayed rule back, by the precedence of Rust. The role names here hold nothing that needs care.
fn read(text: &str) -> Rule {
    /// Splits at the joints outside of all parentheses, or at none.
    fn split<'a>(text: &'a str, joint: &str) -> Vec<&'a str> {
        let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
        for (place, byte) in text.bytes().enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ if depth == 0 && text[place..].starts_with(joint) => {
                    parts.push(&text[start..place]);
                    start = place + joint.len();
                }
                _ => {}
            }
        }
        parts.push(&text[start..]);
        parts
    }
    let of = |parts: Vec<&str>| parts.into_iter().map(read).collect::<Vec<_>>();
    match (split(text, " | "), split(text, " & ")) {
        (parts, _) if parts.len() > 1 => Any(of(parts)),
        (_, parts) if parts.len() > 1 => All(of(parts)),
        _ => match text {
            "nobody" => Any(vec![]),
            "AllowAny" => AllowAny,
            "IsAuthenticated" => IsAuthenticated,
            "IsAdmin" => IsAdmin,
            "IsAuthenticatedOrReadOnly" => IsAuthenticatedOrReadOnly,
            "IsOwner" => IsOwner,
            _ => {
                let inside =
                    |prefix, suffix| text.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix(suffix));
                match (inside("!", ""), inside("role(\"", "\")"), inside("(", ")")) {
                    (Some(rest), ..) => !read(rest),
                    (_, Some(name), _) => Rule::role(name.to_owned()),
                    (.., Some(rest)) => read(rest),
                    _ => panic!("not a rule: {text}"),
                }
            }
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn de_morgan(a in rule(), b in rule()) {
        alike(&!(a.clone() & b.clone()), &(!a.clone() | !b.clone()))?;
        alike(&!(a.clone() | b.clone()), &(!a & !b))?;
    }

    #[test]
    fn two_negations_are_none(a in rule()) {
        alike(&Not(Box::new(Not(Box::new(a.clone())))), &a)?;
        alike(&!!a.clone(), &a)?;
    }

    #[test]
    fn saying_it_twice_changes_nothing(a in rule()) {
        alike(&(a.clone() | a.clone()), &a)?;
        alike(&(a.clone() & a.clone()), &a)?;
    }

    #[test]
    fn the_order_changes_no_decision(a in rule(), b in rule()) {
        alike(&(a.clone() | b.clone()), &(b.clone() | a.clone()))?;
        alike(&(a.clone() & b.clone()), &(b & a))?;
    }

    #[test]
    fn grouping_changes_nothing(a in rule(), b in rule(), c in rule()) {
        alike(&((a.clone() | b.clone()) | c.clone()), &(a.clone() | (b.clone() | c.clone())))?;
        alike(&((a.clone() & b.clone()) & c.clone()), &(a.clone() & (b.clone() & c.clone())))?;
        alike(&(a.clone() & (b.clone() | c.clone())), &(a.clone() & b | a & c))?;
    }

    #[test]
    fn absorption(a in rule(), b in rule()) {
        alike(&(a.clone() | a.clone() & b.clone()), &a)?;
        alike(&(a.clone() & (a.clone() | b)), &a)?;
    }

    /// Also below a negation, and also if one of them is an empty list.
    #[test]
    fn operators_build_what_could_be_written_by_hand(a in rule(), b in rule()) {
        for (built, written) in [
            (a.clone() | b.clone(), Any(vec![a.clone(), b.clone()])),
            (a.clone() & b.clone(), All(vec![a.clone(), b.clone()])),
        ] {
            alike(&built, &written)?;
            alike(&Not(Box::new(built)), &Not(Box::new(written)))?;
        }
        alike(&!a.clone(), &Not(Box::new(a)))?;
    }

    #[test]
    fn without_empty_lists_it_is_plain_logic(a in rule().prop_filter("no empty list", |rule| !has_empty_list(rule))) {
        each_attempt(|attempt| {
            if attempt.ownership != Ownership::Unknown {
                prop_assert_eq!(kind(&a, attempt) == Kind::Allowed, plain_logic(&a, attempt), "{} for {:?}", a, attempt);
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_is_empty_is_closed(empty in hollow(), a in rule()) {
        each_attempt(|attempt| {
            prop_assert_eq!(kind(&empty, attempt), Kind::Denied);
            Ok(())
        })?;
        prop_assert!(empty.allows_nobody() && (empty.clone() & a.clone()).allows_nobody());
        alike(&(empty.clone() | a.clone()), &a)?;
        alike(&!(empty & a.clone()), &!a)?;
    }

    #[test]
    fn what_is_decided_early_stays_decided(a in rule()) {
        each_attempt(|attempt| {
            let early = kind(&a, &Attempt { ownership: Ownership::Unknown, ..*attempt });
            let now = kind(&a, attempt);
            prop_assert!(early == Kind::Undecided || early == now, "{}: {:?}, then {:?}", a, early, now);
            Ok(())
        })?;
    }

    #[test]
    fn only_an_unknown_owner_leaves_anything_undecided(a in rule()) {
        each_attempt(|attempt| {
            let waits = kind(&a, attempt) == Kind::Undecided;
            prop_assert!(!waits || a.needs_object() && attempt.ownership == Ownership::Unknown, "{}", a);
            Ok(())
        })?;
    }

    #[test]
    fn allows_nobody_is_the_same_as_allowing_nobody(a in rule()) {
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

    /// The leaf refuses by itself what the rule refused, is part of the rule, and is no list of parts.
    #[test]
    fn the_leaf_of_a_denial_refuses(a in rule()) {
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
    fn what_is_shown_is_what_is_decided(a in rule()) {
        let shown = a.to_string();
        let again = read(&shown);
        alike(&again, &a)?;
        alike(&Not(Box::new(again.clone())), &Not(Box::new(a)))?;
        prop_assert_eq!(again.to_string(), shown);
    }
}
