use std::borrow::Cow;
use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// Who may call an endpoint: the permission classes of Django REST Framework as values.
///
/// Rules are composed with `|`, `&` and `!`, which have the precedence that they have in Rust. An empty
/// [`All`](Self::All) or [`Any`](Self::Any) refuses every attempt, and so does its negation. Negation is therefore
/// pushed inwards to the leaves before a rule is evaluated or displayed: De Morgan's laws hold and `!!rule` equals
/// `rule`, but `rule | !rule` need not allow every attempt.
///
/// A rule is displayed as Rust source, with negations pushed inwards and parentheses only where needed; an empty list
/// is displayed as `nobody`.
///
/// ```
/// use auth_core::permission::Rule::{*, self};
///
/// let rule = (IsOwner | IsAdmin) & IsAuthenticated & !Rule::role("banned");
/// assert_eq!(rule.to_string(), r#"(IsOwner | IsAdmin) & IsAuthenticated & !role("banned")"#);
/// assert_eq!((!(IsOwner | IsAdmin)).to_string(), "!IsOwner & !IsAdmin");
/// assert_eq!(Any(vec![]).to_string(), "nobody");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Allows every request, authenticated or not.
    AllowAny,
    /// Allows every caller.
    IsAuthenticated,
    /// Allows staff (`is_staff`).
    IsAdmin,
    /// Allows every caller, and every request with a safe method.
    IsAuthenticatedOrReadOnly,
    /// Allows the owner of the requested object. Undecided until ownership is known, even without a caller, so that the
    /// response for an object that does not exist is the same with and without a token.
    IsOwner,
    /// Allows callers with this role. The negation also allows requests that are not authenticated.
    Role(Cow<'static, str>),
    /// Allows what every part allows; nothing, if it is empty.
    All(Vec<Rule>),
    /// Allows what at least one part allows; nothing, if it is empty.
    Any(Vec<Rule>),
    /// Allows what the rule does not allow; nothing, if the rule is an empty list.
    Not(Box<Rule>),
}

impl Rule {
    /// A rule that allows callers with this role.
    ///
    /// ```
    /// # use auth_core::permission::Rule;
    /// assert_eq!(Rule::role("editor"), Rule::Role("editor".into()));
    /// ```
    pub fn role(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Role(name.into())
    }

    /// Whether the rule contains [`IsOwner`](Self::IsOwner), so that it may be undecided until the object is
    /// loaded. Such a rule is of no use on a route without an object.
    ///
    /// ```
    /// use auth_core::permission::Rule::*;
    /// assert!((IsAdmin | !IsOwner).needs_object());
    /// assert!(!(IsAdmin | IsAuthenticatedOrReadOnly).needs_object());
    /// ```
    pub fn needs_object(&self) -> bool {
        match self {
            Self::IsOwner => true,
            Self::All(rules) | Self::Any(rules) => rules.iter().any(Self::needs_object),
            Self::Not(rule) => rule.needs_object(),
            Self::AllowAny
            | Self::IsAuthenticated
            | Self::IsAdmin
            | Self::IsAuthenticatedOrReadOnly
            | Self::Role(_) => false,
        }
    }

    /// Writes the rule, or its negation; with `within_all`, as one of several parts of an `All`.
    fn write(&self, negated: bool, within_all: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rules, is_all) = match self {
            Self::Not(rule) => return rule.write(!negated, within_all, f),
            Self::All(rules) => (rules, !negated),
            Self::Any(rules) => (rules, negated),
            leaf => return leaf.write_leaf(negated, f),
        };
        match rules.as_slice() {
            [] => return f.write_str("nobody"),
            [only] => return only.write(negated, within_all, f),
            _ => {}
        }
        let separator = if is_all { " & " } else { " | " };
        let parenthesised = within_all && !is_all;
        f.write_str(if parenthesised { "(" } else { "" })?;
        for (index, part) in rules.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { separator })?;
            part.write(negated, is_all, f)?;
        }
        f.write_str(if parenthesised { ")" } else { "" })
    }

    fn write_leaf(&self, negated: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if negated { "!" } else { "" })?;
        match self {
            Self::Role(name) => write!(f, "role({name:?})"),
            // `Debug` writes the name of the variant.
            leaf => write!(f, "{leaf:?}"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(false, false, f)
    }
}

// An empty list is never merged into another list, because it would then no longer refuse.

/// `a | b | c` is one [`Any`](Rule::Any) of three.
impl BitOr for Rule {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        let parts = |rule| match rule {
            Self::Any(rules) if !rules.is_empty() => rules,
            rule => vec![rule],
        };
        let mut rules = parts(self);
        rules.extend(parts(other));
        Self::Any(rules)
    }
}

/// `a & b & c` is one [`All`](Rule::All) of three.
impl BitAnd for Rule {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        let parts = |rule| match rule {
            Self::All(rules) if !rules.is_empty() => rules,
            rule => vec![rule],
        };
        let mut rules = parts(self);
        rules.extend(parts(other));
        Self::All(rules)
    }
}

/// `!!rule` is `rule`.
impl Not for Rule {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Not(rule) => *rule,
            rule => Self::Not(Box::new(rule)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rule::{self, *};

    fn role(name: &'static str) -> Rule {
        Rule::role(name)
    }

    fn negated(rule: Rule) -> Rule {
        Not(Box::new(rule))
    }

    #[test]
    fn operators_flatten_nested_lists() {
        let (a, b, c, d) = (|| role("a"), || role("b"), || role("c"), || role("d"));
        for (built, expected) in [
            (a() | b(), Any(vec![a(), b()])),
            (a() | b() | c(), Any(vec![a(), b(), c()])),
            (a() | (b() | c()), Any(vec![a(), b(), c()])),
            ((a() | b()) | (c() | d()), Any(vec![a(), b(), c(), d()])),
            (a() & b(), All(vec![a(), b()])),
            (a() & b() & c(), All(vec![a(), b(), c()])),
            (a() & (b() & c()), All(vec![a(), b(), c()])),
            ((a() & b()) & (c() & d()), All(vec![a(), b(), c(), d()])),
            // As in Rust, `&` binds more tightly than `|`.
            (a() | b() & c(), Any(vec![a(), All(vec![b(), c()])])),
            ((a() | b()) & c(), All(vec![Any(vec![a(), b()]), c()])),
            // Empty lists are not merged.
            (Any(vec![]) | a(), Any(vec![Any(vec![]), a()])),
            (a() | Any(vec![]), Any(vec![a(), Any(vec![])])),
            (All(vec![]) & a(), All(vec![All(vec![]), a()])),
            (a() & All(vec![]), All(vec![a(), All(vec![])])),
            // Negations.
            (!a(), negated(a())),
            (!!a(), a()),
            (!!!a(), negated(a())),
            (!a() | !b(), Any(vec![negated(a()), negated(b())])),
            (!(a() | b()) | c(), Any(vec![negated(Any(vec![a(), b()])), c()])),
        ] {
            assert_eq!(built, expected);
        }
    }

    #[test]
    fn rules_are_displayed_as_source() {
        let (a, b, c, d) = (|| role("a"), || role("b"), || role("c"), || role("d"));
        for (rule, expected) in [
            (AllowAny, "AllowAny"),
            (IsAuthenticated, "IsAuthenticated"),
            (IsAdmin, "IsAdmin"),
            (IsAuthenticatedOrReadOnly, "IsAuthenticatedOrReadOnly"),
            (IsOwner, "IsOwner"),
            (role("editor"), r#"role("editor")"#),
            (Rule::role(r#"a "b" | c"#.to_owned()), r#"role("a \"b\" | c")"#),
            (!IsAdmin, "!IsAdmin"),
            (!role("banned"), r#"!role("banned")"#),
            (IsOwner | IsAdmin, "IsOwner | IsAdmin"),
            (IsAuthenticated & !role("banned"), r#"IsAuthenticated & !role("banned")"#),
            // Parentheses only where needed.
            (a() | b() & c(), r#"role("a") | role("b") & role("c")"#),
            (a() & b() | c() & d(), r#"role("a") & role("b") | role("c") & role("d")"#),
            ((a() | b()) & (c() | d()), r#"(role("a") | role("b")) & (role("c") | role("d"))"#),
            (Any(vec![Any(vec![IsOwner, IsAdmin]), AllowAny]), "IsOwner | IsAdmin | AllowAny"),
            (All(vec![All(vec![IsOwner, IsAdmin]), AllowAny]), "IsOwner & IsAdmin & AllowAny"),
            // A list of one part is displayed as the part.
            (All(vec![IsOwner]), "IsOwner"),
            (Any(vec![All(vec![negated(IsOwner)])]), "!IsOwner"),
            (All(vec![All(vec![IsOwner | IsAdmin]), AllowAny]), "(IsOwner | IsAdmin) & AllowAny"),
            (All(vec![Any(vec![IsOwner & IsAdmin]), AllowAny]), "IsOwner & IsAdmin & AllowAny"),
            // Negations are pushed inwards.
            (!(IsOwner | IsAdmin), "!IsOwner & !IsAdmin"),
            (!(IsOwner & IsAdmin), "!IsOwner | !IsAdmin"),
            (!(IsOwner & IsAdmin) & AllowAny, "(!IsOwner | !IsAdmin) & AllowAny"),
            (!(IsOwner | IsAdmin) | AllowAny, "!IsOwner & !IsAdmin | AllowAny"),
            (negated(negated(IsOwner)), "IsOwner"),
            (!(!IsOwner | IsAdmin), "IsOwner & !IsAdmin"),
            // Empty lists.
            (All(vec![]), "nobody"),
            (Any(vec![]), "nobody"),
            (!All(vec![]), "nobody"),
            (negated(negated(Any(vec![]))), "nobody"),
            (IsAdmin | Any(vec![]), "IsAdmin | nobody"),
            (IsAdmin & All(vec![]), "IsAdmin & nobody"),
            (!(IsAdmin & All(vec![])), "!IsAdmin | nobody"),
        ] {
            assert_eq!(rule.to_string(), expected, "{rule:?}");
        }
    }

    #[test]
    fn a_rule_needs_the_object_if_it_contains_is_owner() {
        for (rule, expected) in [
            (IsOwner, true),
            (!IsOwner, true),
            (IsAdmin | IsOwner, true),
            (IsAdmin & (AllowAny | !IsOwner), true),
            (AllowAny, false),
            (IsAuthenticated | IsAdmin, false),
            (!IsAuthenticatedOrReadOnly & role("IsOwner"), false),
            (All(vec![]), false),
        ] {
            assert_eq!(rule.needs_object(), expected, "{rule}");
        }
    }
}
