//! The payload of the code behind a link.

use auth_core::user::SecurityStamp;

use crate::account::Email;

/// The payload of the code behind a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTarget {
    /// The email address that the link was sent to.
    pub email: Email,
    /// What following the link requires besides its token.
    pub condition: LinkCondition,
}

/// What following a link requires besides its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkCondition {
    /// Nothing.
    Nothing,
    /// A login to the account, because it had a second factor when the link was created.
    Login,
    /// That the account still has this security stamp, on which the reauthentication for the link was based.
    Unchanged(SecurityStamp),
}

impl LinkTarget {
    const LOGIN: &'static str = "login";

    /// Serializes the target: the email address, which contains no space, and the condition.
    ///
    /// ```
    /// use auth_accounts::account::Email;
    /// use auth_accounts::code::{LinkCondition, LinkTarget};
    /// let email = Email::parse("alice@example.com").unwrap();
    /// let target = LinkTarget { email, condition: LinkCondition::Login };
    /// assert_eq!(LinkTarget::from_payload(&target.to_payload()), Some(target));
    /// ```
    pub fn to_payload(&self) -> Vec<u8> {
        let email = self.email.as_str();
        match self.condition {
            LinkCondition::Nothing => email.to_owned(),
            LinkCondition::Login => format!("{email} {}", Self::LOGIN),
            LinkCondition::Unchanged(stamp) => format!("{email} {}", stamp.get()),
        }
        .into_bytes()
    }

    /// Parses a stored payload; `None` if it is not valid.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let input = std::str::from_utf8(payload).ok()?;
        let (email, condition) = match input.split_once(' ') {
            None => (input, LinkCondition::Nothing),
            Some((email, Self::LOGIN)) => (email, LinkCondition::Login),
            Some((email, stamp)) => (email, LinkCondition::Unchanged(SecurityStamp::new(stamp.parse().ok()?))),
        };
        Some(Self { email: Email::parse(email).ok()?, condition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_parsed_as_written() {
        let email = || Email::parse("alice@example.com").unwrap();
        for condition in
            [LinkCondition::Nothing, LinkCondition::Login, LinkCondition::Unchanged(SecurityStamp::new(12))]
        {
            let target = LinkTarget { email: email(), condition };
            assert_eq!(LinkTarget::from_payload(&target.to_payload()), Some(target));
        }
        for payload in ["", "alice", "alice@example.com ", "alice@example.com x", "alice@example.com 1 2", " 1"] {
            assert_eq!(LinkTarget::from_payload(payload.as_bytes()), None, "{payload:?}");
        }
        assert_eq!(LinkTarget::from_payload(&[0xFF]), None);
    }
}
