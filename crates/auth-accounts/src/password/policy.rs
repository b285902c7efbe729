//! The rules for new passwords, and their order.

use crate::password::{CheckedPassword, RawPassword, common, similarity};

/// A rule that a password breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// It resembles this attribute of the account.
    TooSimilar(Attribute),
    /// It has fewer than this number of characters.
    TooShort(usize),
    /// It has more than this number of characters.
    TooLong(usize),
    /// It is in the list of common passwords.
    TooCommon,
    /// It consists of digits only.
    EntirelyNumeric,
}

/// An attribute that passwords are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The username.
    Username,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The email address.
    Email,
    /// The name of the service (SEC-054).
    ServiceName,
}

/// The rules for new passwords: those of Django's four validators (wire contract §9), a maximum length (SEC-053), and no
/// resemblance to the name of the service (SEC-054).
///
/// There are no rules about kinds of characters, and passwords do not expire (NIST SP 800-63B-4 §3.1.1.2).
///
/// ```
/// use auth_accounts::password::{Attribute, PasswordFlaw, PasswordPolicy, RawPassword};
/// let policy = PasswordPolicy::default();
/// let attributes = [(Attribute::Username, "alice")];
/// assert!(policy.check(RawPassword::new("Correct-horse-42"), &attributes).is_ok());
/// assert_eq!(
///     policy.check(RawPassword::new("12345"), &attributes).unwrap_err(),
///     [PasswordFlaw::TooShort(8), PasswordFlaw::TooCommon, PasswordFlaw::EntirelyNumeric],
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The minimum length, in characters.
    pub min_chars: usize,
    /// The name of the service, which no password may resemble. Not compared if empty.
    pub service_name: String,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: 8, service_name: String::new() }
    }
}

impl PasswordPolicy {
    /// Checks a password against all rules. The attributes are compared in the given order, and only the first similar one is
    /// reported.
    ///
    /// # Errors
    /// All rules that the password breaks, in the order of [`PasswordFlaw`]; only [`PasswordFlaw::TooLong`] for a password that
    /// is too long.
    pub fn check(
        &self,
        password: RawPassword,
        attributes: &[(Attribute, &str)],
    ) -> Result<CheckedPassword, Vec<PasswordFlaw>> {
        if password.is_too_long() {
            // The other rules would be expensive for such input.
            return Err(vec![PasswordFlaw::TooLong(RawPassword::MAX_CHARS)]);
        }
        let input = password.expose();
        let mut flaws = Vec::new();
        let service = (Attribute::ServiceName, self.service_name.as_str());
        let similar = attributes.iter().chain([&service]).find(|(_, value)| similarity::is_similar(input, value));
        flaws.extend(similar.map(|(attribute, _)| PasswordFlaw::TooSimilar(*attribute)));
        if input.chars().count() < self.min_chars {
            flaws.push(PasswordFlaw::TooShort(self.min_chars));
        }
        if common::is_common(input) {
            flaws.push(PasswordFlaw::TooCommon);
        }
        if !input.is_empty() && input.chars().all(char::is_numeric) {
            flaws.push(PasswordFlaw::EntirelyNumeric);
        }
        if flaws.is_empty() { Ok(CheckedPassword(password)) } else { Err(flaws) }
    }
}

#[cfg(test)]
mod tests {
    use super::PasswordFlaw::*;
    use super::*;

    #[test]
    fn broken_rules_are_reported_in_order() {
        let attributes = [
            (Attribute::Username, "alice77"),
            (Attribute::FirstName, "Marguerite"),
            (Attribute::LastName, "Wonderland"),
            (Attribute::Email, "someone@wonderland.example"),
        ];
        let long = "xK9#".repeat(257);
        for (password, expected) in [
            ("Correct-horse-42", vec![]),
            ("xK9#qqq", vec![TooShort(8)]),
            ("xK9#qqqq", vec![]),
            ("password123", vec![TooCommon]),
            ("8273645190", vec![EntirelyNumeric]),
            ("12345", vec![TooShort(8), TooCommon, EntirelyNumeric]),
            ("alice77", vec![TooSimilar(Attribute::Username), TooShort(8)]),
            ("Alice77!", vec![TooSimilar(Attribute::Username)]),
            ("marguerite9", vec![TooSimilar(Attribute::FirstName)]),
            // The last name and the email address are both similar; the first is reported.
            ("wonderland-1", vec![TooSimilar(Attribute::LastName)]),
            ("tokenhaus!", vec![TooSimilar(Attribute::ServiceName)]),
            ("with blanks and \u{1F600}", vec![]),
            (&long[..1_024], vec![]),
            (&long, vec![TooLong(1_024)]),
        ] {
            let policy = PasswordPolicy { min_chars: 8, service_name: "Tokenhaus".to_owned() };
            let flaws = policy.check(RawPassword::new(password), &attributes).err().unwrap_or_default();
            assert_eq!(flaws, expected, "{password:?}");
        }
    }

    #[test]
    fn the_minimum_length_is_configurable() {
        let policy = PasswordPolicy { min_chars: 15, ..PasswordPolicy::default() };
        let check = |input| policy.check(RawPassword::new(input), &[]).err().unwrap_or_default();
        assert_eq!(check("Correct-horse-"), [TooShort(15)]);
        assert_eq!(check("Correct-horse-4"), []);
    }
}
