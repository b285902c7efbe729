//! The subject claim.

use serde_json::Value;

use crate::user::{Subject, SubjectField, UserId, is_canonical_integer, is_name};

/// The value of the subject claim. Strings and numbers are both accepted, because releases of SimpleJWT differ in which
/// they write (docs/wire-contract.md, section 11).
///
/// ```
/// use auth_core::token::{Subject, SubjectClaim, SubjectField};
/// use auth_core::user::UserId;
/// use serde_json::json;
/// let read = |claim| SubjectClaim::read(Some(&claim), SubjectField::Id);
/// let three = SubjectClaim::Named(Subject::Id(UserId::new(3)));
/// assert_eq!(read(json!("3")), three);
/// assert_eq!(read(json!(3)), three);
/// assert_eq!(read(json!(true)), SubjectClaim::Malformed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectClaim {
    /// The claim is absent.
    Absent,
    /// It names a user, who need not exist.
    Named(Subject),
    /// It names no user: null, or a number that no user ID can have.
    Nobody,
    /// It is malformed (SEC-014).
    Malformed,
}

impl SubjectClaim {
    /// Reads the claim, where tokens name users by this field.
    pub fn read(claim: Option<&Value>, field: SubjectField) -> Self {
        match (claim, field) {
            (None, _) => Self::Absent,
            (Some(Value::Null), _) => Self::Nobody,
            (Some(claim), SubjectField::Id) => Self::read_id(claim),
            (Some(Value::String(string)), _) if !is_name(string) => Self::Malformed,
            (Some(Value::String(string)), SubjectField::Username) => Self::Named(Subject::Username(string.clone())),
            (Some(Value::String(string)), SubjectField::Email) => Self::Named(Subject::Email(string.clone())),
            (Some(_), _) => Self::Malformed,
        }
    }

    fn read_id(claim: &Value) -> Self {
        match claim {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(id), _) => Self::Named(Subject::Id(UserId::new(id))),
                (None, Some(beyond)) if beyond.abs() >= i64::MAX as f64 => Self::Nobody,
                _ => Self::Malformed,
            },
            Value::String(string) => Self::read_id_string(string),
            _ => Self::Malformed,
        }
    }

    fn read_id_string(string: &str) -> Self {
        match UserId::parse(string) {
            Ok(id) => Self::Named(Subject::Id(id)),
            Err(_) if is_canonical_integer(string) => Self::Nobody,
            Err(_) => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_json_type_as_a_user_id() {
        let id = |n| SubjectClaim::Named(Subject::Id(UserId::new(n)));
        let key = |string: &str| SubjectClaim::Named(Subject::Id(UserId::parse(string).unwrap()));
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
            assert_eq!(SubjectClaim::read(Some(&claim), SubjectField::Id), expected, "{claim}");
        }
        assert_eq!(SubjectClaim::read(None, SubjectField::Id), SubjectClaim::Absent);
    }

    #[test]
    fn usernames_and_email_addresses_are_read_unchanged() {
        let name = |string: &str| SubjectClaim::Named(Subject::Username(string.to_owned()));
        for (claim, expected) in [
            (json!("alice"), name("alice")),
            (json!("3"), name("3")),
            (json!(null), SubjectClaim::Nobody),
            (json!(3), SubjectClaim::Malformed),
            (json!(["alice"]), SubjectClaim::Malformed),
            (json!(" "), SubjectClaim::Malformed),
            (json!("a\u{0}"), SubjectClaim::Malformed),
            (json!("x".repeat(256)), SubjectClaim::Malformed),
        ] {
            assert_eq!(SubjectClaim::read(Some(&claim), SubjectField::Username), expected, "{claim}");
        }
        let email = SubjectClaim::Named(Subject::Email("a@b.c".to_owned()));
        assert_eq!(SubjectClaim::read(Some(&json!("a@b.c")), SubjectField::Email), email);
    }
}
