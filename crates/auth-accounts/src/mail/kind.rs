//! The kinds of mail.

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}
pub(crate) use names;

names! {
    /// What a mail is about. The [`name`](Self::name) is that of its templates.
    EmailKind {
        /// A link to set a new password. Fact: `token`.
        PasswordReset = "password_reset",
        /// A link that proves the address of an account. Fact: `token`.
        EmailVerification = "email_verification",
        /// A link that makes this address the one of an account. Fact: `token`.
        EmailChange = "email_change",
        /// Somebody asked to change the address: to the address that the account still has. Fact: `new_email`.
        EmailChangeRequested = "email_change_requested",
        /// The address was changed: to the one before. Fact: `new_email`.
        EmailChanged = "email_changed",
        /// A code to log in with, or to confirm something. Fact: `code`.
        SecondFactorCode = "second_factor_code",
        /// The password was changed or reset.
        PasswordChanged = "password_changed",
        /// A second factor was added. Fact: `method`.
        SecondFactorAdded = "second_factor_added",
        /// A second factor was removed. Fact: `method`.
        SecondFactorRemoved = "second_factor_removed",
        /// The recovery codes were made anew.
        RecoveryCodesReplaced = "recovery_codes_replaced",
        /// A recovery code was used to log in. Fact: `left`.
        RecoveryCodeUsed = "recovery_code_used",
        /// A spent refresh token came back, and its session was ended.
        SessionReused = "session_reused",
    }
}

names! {
    /// What somebody asked for who may or may not have an account. It is written down as it was asked, and looked into
    /// afterwards: so the answer cannot tell, not even by its time, whether there is an account.
    EmailRequest {
        /// A link to set a new password.
        PasswordReset = "password_reset_requested",
        /// A link that proves an address.
        EmailVerification = "email_verification_requested",
    }
}

/// What may stand in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queued {
    /// A mail to be sent.
    Mail(EmailKind),
    /// A wish to be looked into.
    Request(EmailRequest),
}

impl Queued {
    /// The stable name, as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail(kind) => kind.name(),
            Self::Request(request) => request.name(),
        }
    }

    /// How urgent it is: the outbox delivers the lowest number first. A code is waited for during a login and a link while
    /// the password is forgotten; a flood of anything else must delay neither.
    ///
    /// ```
    /// use auth_accounts::mail::{EmailKind, EmailRequest, Queued};
    /// let order = [
    ///     Queued::Mail(EmailKind::SecondFactorCode),
    ///     Queued::Request(EmailRequest::PasswordReset),
    ///     Queued::Mail(EmailKind::EmailVerification),
    /// ];
    /// assert!(order.is_sorted_by_key(|queued| queued.priority()));
    /// ```
    pub const fn priority(self) -> u8 {
        match self {
            Self::Mail(EmailKind::SecondFactorCode) => 0,
            Self::Mail(EmailKind::PasswordReset) | Self::Request(EmailRequest::PasswordReset) => 1,
            Self::Mail(
                EmailKind::EmailVerification
                | EmailKind::EmailChange
                | EmailKind::EmailChangeRequested
                | EmailKind::EmailChanged
                | EmailKind::PasswordChanged
                | EmailKind::SecondFactorAdded
                | EmailKind::SecondFactorRemoved
                | EmailKind::RecoveryCodesReplaced
                | EmailKind::RecoveryCodeUsed
                | EmailKind::SessionReused,
            )
            | Self::Request(EmailRequest::EmailVerification) => 2,
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        EmailKind::from_name(name).map(Self::Mail).or_else(|| EmailRequest::from_name(name).map(Self::Request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_queued_is_found_by_its_name() {
        let mails = EmailKind::ALL.iter().map(|kind| Queued::Mail(*kind));
        for queued in mails.chain(EmailRequest::ALL.iter().map(|request| Queued::Request(*request))) {
            assert_eq!(Queued::from_name(queued.name()), Some(queued));
        }
        assert_eq!(Queued::from_name("invoice"), None);
    }
}
