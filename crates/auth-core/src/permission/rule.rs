use std::borrow::Cow;
use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

/// Who may do something: the permission classes of Django REST Framework as values.
///
/// Written with `|`, `&` and `!`, which bind as they do in Rust. Closed when empty: an [`All`](Self::All) or
/// [`Any`](Self::Any) of nothing allows nobody, and neither does its negation. Negation is therefore pushed inwards to
/// the leaves before anything is decided or shown: De Morgan's laws hold and `!!rule` is `rule`, but `rule | !rule`
/// need not allow everybody.
///
/// Displayed as it would be written, negations pushed inwards and parentheses only where needed; an empty list is
/// `nobody`.
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
    /// Everybody, logged in or not.
    AllowAny,
    /// Whoever is logged in.
    IsAuthenticated,
    /// Whoever administers the service: `is_staff`.
    IsAdmin,
    /// Whoever is logged in; with a safe method, everybody.
    IsAuthenticatedOrReadOnly,
    /// Whoever owns what is asked for. Undecided until the object has been looked up, also if nobody is logged in: an
    /// id that does not exist is answered alike with and without a token.
    IsOwner,
    /// Whoever has the role of this name. Its negation allows also those who are not logged in.
    Role(Cow<'static, str>),
    /// Whom each of these allows; nobody, if there are none.
    All(Vec<Rule>),
    /// Whom at least one of these allows; nobody, if there are none.
    Any(Vec<Rule>),
    /// Whom this does not allow; nobody, if it is an empty list.
    Not(Box<Rule>),
}

impl Rule {
    /// Whoever has the role of this name.
    ///
    /// ```
    /// # use auth_core::permission::Rule;
    /// assert_eq!(Rule::role("editor"), Rule::Role("editor".into()));
    /// ```
    pub fn role(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Role(name.into())
    }

    /// Whether [`IsOwner`](Self::IsOwner) occurs in it, so that a decision may have to wait for the object. A route
    /// without an object has no use for such a rule.
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

    /// Writes the rule, or its negation. `within_all`: as one of several parts of an `All`.
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
        let joint = if is_all { " & " } else { " | " };
        let parenthesised = within_all && !is_all;
        f.write_str(if parenthesised { "(" } else { "" })?;
        for (place, part) in rules.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { joint })?;
            part.write(negated, is_all, f)?;
        }
        f.write_str(if parenthesised { ")" } else { "" })
    }

    fn write_leaf(&self, negated: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if negated { "!" } else { "" })?;
        match self {
            Self::Role(name) => write!(f, "role({name:?})"),
            // The names of the variants.
            leaf => write!(f, "{leaf:?}"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(false, false, f)
    }
}

// An empty list is never merged into another one: it would no longer close it.

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
    fn operators_flatten_what_they_build() {
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
            // As in Rust, `&` binds more tightly.
            (a() | b() & c(), Any(vec![a(), All(vec![b(), c()])])),
            ((a() | b()) & c(), All(vec![Any(vec![a(), b()]), c()])),
            // An empty list stays what it is.
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
    fn every_way_to_show_a_rule() {
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
            // A list of one is that one.
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
    fn a_rule_needs_the_object_if_it_speaks_of_the_owner() {
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
