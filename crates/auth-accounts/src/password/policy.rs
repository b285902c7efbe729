//! The rules for a new password, and their order.

use crate::password::{CheckedPassword, RawPassword, common, similarity};

/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// It resembles this attribute of its account.
    TooSimilar(Attribute),
    /// It has fewer than so many characters.
    TooShort(usize),
    /// It has more than so many characters.
    TooLong(usize),
    /// It is in the list of passwords that everybody tries first.
    TooCommon,
    /// It has digits only.
    EntirelyNumeric,
}

/// What a password is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The name to log in with.
    Username,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The address.
    Email,
    /// The name of the service itself (SEC-054).
    ServiceName,
}

/// What a new password must be. The rules are those of Django's four validators (wire contract section 9), an upper
/// length (SEC-053) and the name of the service (SEC-054). No rule asks for kinds of characters, and none for a
/// change after some time (NIST SP 800-63B-4 §3.1.1.2).
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
    /// Fewest characters.
    pub min_chars: usize,
    /// The name of the service, which no password may resemble; empty: not compared.
    pub service_name: String,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_chars: 8, service_name: String::new() }
    }
}

impl PasswordPolicy {
    /// Lets a password through, or says all that is wrong with it. Of the attributes, which are compared in the order
    /// given, only the first similar one is named.
    pub fn check(
        &self,
        password: RawPassword,
        attributes: &[(Attribute, &str)],
    ) -> Result<CheckedPassword, Vec<PasswordFlaw>> {
        if password.is_too_long() {
            // Nothing else is computed for it.
            return Err(vec![PasswordFlaw::TooLong(RawPassword::MAX_CHARS)]);
        }
        let text = password.expose();
        let mut flaws = Vec::new();
        let service = (Attribute::ServiceName, self.service_name.as_str());
        let similar = attributes.iter().chain([&service]).find(|(_, value)| similarity::is_similar(text, value));
        flaws.extend(similar.map(|(attribute, _)| PasswordFlaw::TooSimilar(*attribute)));
        if text.chars().count() < self.min_chars {
            flaws.push(PasswordFlaw::TooShort(self.min_chars));
        }
        if common::is_common(text) {
            flaws.push(PasswordFlaw::TooCommon);
        }
        if !text.is_empty() && text.chars().all(char::is_numeric) {
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
    fn every_rule_has_its_flaw_and_they_come_in_order() {
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
            // Last name and address are both similar: the first is named.
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
    fn the_shortest_length_is_configurable() {
        let policy = PasswordPolicy { min_chars: 15, ..PasswordPolicy::default() };
        let check = |text| policy.check(RawPassword::new(text), &[]).err().unwrap_or_default();
        assert_eq!(check("Correct-horse-"), [TooShort(15)]);
        assert_eq!(check("Correct-horse-4"), []);
    }
}
