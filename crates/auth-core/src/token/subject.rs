//! Whom a token is about.

use serde_json::Value;

use crate::account::UserId;

/// How a token names its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By the number of the account; on the wire its decimal text.
    Id(UserId),
    /// By the key that an imported account had elsewhere.
    External(String),
}

impl Subject {
    /// The text in the claim.
    pub fn to_claim(&self) -> String {
        match self {
            Self::Id(id) => id.get().to_string(),
            Self::External(key) => key.clone(),
        }
    }
}

/// What stands in the claim that should name a user. Text and number are both read, as clients of every SimpleJWT
/// release send them (wire contract section 11).
///
/// ```
/// use auth_core::{account::UserId, token::{Subject, SubjectClaim}};
/// use serde_json::json;
/// let three = SubjectClaim::Named(Subject::Id(UserId::new(3)));
/// assert_eq!(SubjectClaim::read(Some(&json!("3"))), three);
/// assert_eq!(SubjectClaim::read(Some(&json!(3))), three);
/// assert_eq!(SubjectClaim::read(Some(&json!(true))), SubjectClaim::Malformed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectClaim {
    /// There is no such claim.
    Absent,
    /// It names a user, who may or may not exist.
    Named(Subject),
    /// It can name no user: null, or a number beyond all accounts.
    Nobody,
    /// It is no name at all (SEC-014).
    Malformed,
}

impl SubjectClaim {
    /// Longest key of an imported account, in characters.
    const MAX_CHARS: usize = 255;

    /// Reads the claim.
    pub fn read(claim: Option<&Value>) -> Self {
        match claim {
            None => Self::Absent,
            Some(Value::Null) => Self::Nobody,
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(id), _) => Self::Named(Subject::Id(UserId::new(id))),
                (None, Some(beyond)) if beyond.abs() >= i64::MAX as f64 => Self::Nobody,
                _ => Self::Malformed,
            },
            Some(Value::String(text)) => Self::read_text(text),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Self::Malformed,
        }
    }

    fn read_text(text: &str) -> Self {
        let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_decimal && (text == "0" || !text.starts_with('0')) {
            return text.parse().map_or(Self::Nobody, |id| Self::Named(Subject::Id(UserId::new(id))));
        }
        let is_blank = text.trim().is_empty();
        if is_blank || text.chars().count() > Self::MAX_CHARS || text.chars().any(char::is_control) {
            return Self::Malformed;
        }
        Self::Named(Subject::External(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_the_claim() {
        let id = |n| SubjectClaim::Named(Subject::Id(UserId::new(n)));
        let key = |text: &str| SubjectClaim::Named(Subject::External(text.to_owned()));
        for (claim, expected) in [
            (json!("3"), id(3)),
            (json!(3), id(3)),
            (json!(0), id(0)),
            (json!("9223372036854775807"), id(i64::MAX)),
            (json!("9223372036854775808"), SubjectClaim::Nobody),
            (json!(1e30), SubjectClaim::Nobody),
            (json!(u64::MAX), SubjectClaim::Nobody),
            (json!(null), SubjectClaim::Nobody),
            (json!(-1), id(-1)),
            (json!("-1"), key("-1")),
            (json!("007"), key("007")),
            (json!("1e3"), key("1e3")),
            (json!("\u{663}"), key("\u{663}")),
            (json!("abc"), key("abc")),
            (json!(1.5), SubjectClaim::Malformed),
            (json!(1.0), SubjectClaim::Malformed),
            (json!(true), SubjectClaim::Malformed),
            (json!([1]), SubjectClaim::Malformed),
            (json!({"id": 1}), SubjectClaim::Malformed),
            (json!(""), SubjectClaim::Malformed),
            (json!("  "), SubjectClaim::Malformed),
            (json!("1\u{0}"), SubjectClaim::Malformed),
            (json!("x".repeat(256)), SubjectClaim::Malformed),
        ] {
            assert_eq!(SubjectClaim::read(Some(&claim)), expected, "{claim}");
        }
        assert_eq!(SubjectClaim::read(None), SubjectClaim::Absent);
    }
}
