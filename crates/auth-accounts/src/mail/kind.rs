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
    MailKind {
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
    MailRequest {
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
    Mail(MailKind),
    /// A wish to be looked into.
    Request(MailRequest),
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
    /// use auth_accounts::mail::{MailKind, MailRequest, Queued};
    /// let order = [
    ///     Queued::Mail(MailKind::SecondFactorCode),
    ///     Queued::Request(MailRequest::PasswordReset),
    ///     Queued::Mail(MailKind::EmailVerification),
    /// ];
    /// assert!(order.is_sorted_by_key(|queued| queued.priority()));
    /// ```
    pub const fn priority(self) -> u8 {
        match self {
            Self::Mail(MailKind::SecondFactorCode) => 0,
            Self::Mail(MailKind::PasswordReset) | Self::Request(MailRequest::PasswordReset) => 1,
            Self::Mail(
                MailKind::EmailVerification
                | MailKind::EmailChange
                | MailKind::EmailChangeRequested
                | MailKind::EmailChanged
                | MailKind::PasswordChanged
                | MailKind::SecondFactorAdded
                | MailKind::SecondFactorRemoved
                | MailKind::RecoveryCodesReplaced
                | MailKind::RecoveryCodeUsed
                | MailKind::SessionReused,
            )
            | Self::Request(MailRequest::EmailVerification) => 2,
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        MailKind::from_name(name).map(Self::Mail).or_else(|| MailRequest::from_name(name).map(Self::Request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_queued_is_found_by_its_name() {
        let mails = MailKind::ALL.iter().map(|kind| Queued::Mail(*kind));
        for queued in mails.chain(MailRequest::ALL.iter().map(|request| Queued::Request(*request))) {
            assert_eq!(Queued::from_name(queued.name()), Some(queued));
        }
        assert_eq!(Queued::from_name("invoice"), None);
    }
}
