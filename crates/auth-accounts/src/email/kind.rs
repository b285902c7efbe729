//! The kinds of email.

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, which may be stored.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}
pub(crate) use names;

names! {
    /// The kind of an email. Its [`name`](Self::name) is also that of its templates.
    EmailKind {
        /// A link to set a new password. Fact: `token`.
        PasswordReset = "password_reset",
        /// A link that verifies the email address of an account. Fact: `token`.
        EmailVerification = "email_verification",
        /// A link that changes the email address of an account to the recipient's. Fact: `token`.
        EmailChange = "email_change",
        /// Notice to the current email address that a change of it was requested. Fact: `new_email`.
        EmailChangeRequested = "email_change_requested",
        /// Notice to the former email address that it was changed. Fact: `new_email`.
        EmailChanged = "email_changed",
        /// A 6-digit code for a login, a reauthentication or an enrolment. Fact: `code`.
        SecondFactorCode = "second_factor_code",
        /// The password was changed or reset.
        PasswordChanged = "password_changed",
        /// A second factor was added. Fact: `method`.
        SecondFactorAdded = "second_factor_added",
        /// A second factor was removed. Fact: `method`.
        SecondFactorRemoved = "second_factor_removed",
        /// The recovery codes were replaced.
        RecoveryCodesReplaced = "recovery_codes_replaced",
        /// A recovery code was used to log in. Fact: `left`.
        RecoveryCodeUsed = "recovery_code_used",
        /// A used refresh token was presented again, and its session was revoked.
        SessionReused = "session_reused",
    }
}

names! {
    /// A request for an email, by a client that may or may not have an account. It is enqueued as it was made and processed
    /// later, so that neither the answer nor its timing reveals whether the account exists (SEC-112).
    EmailRequest {
        /// A link to set a new password.
        PasswordReset = "password_reset_requested",
        /// A link that verifies the email address.
        EmailVerification = "email_verification_requested",
    }
}

/// The kinds of entries in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queued {
    /// An email to be delivered.
    Email(EmailKind),
    /// A request to be processed.
    Request(EmailRequest),
}

impl Queued {
    /// The stable name, which is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email(kind) => kind.name(),
            Self::Request(request) => request.name(),
        }
    }

    /// The priority: entries with the lowest number are delivered first. Users wait for codes during a login and for
    /// password-reset links, so a flood of other emails must not delay those.
    ///
    /// ```
    /// use auth_accounts::email::{EmailKind, EmailRequest, Queued};
    /// let order = [
    ///     Queued::Email(EmailKind::SecondFactorCode),
    ///     Queued::Request(EmailRequest::PasswordReset),
    ///     Queued::Email(EmailKind::EmailVerification),
    /// ];
    /// assert!(order.is_sorted_by_key(|queued| queued.priority()));
    /// ```
    pub const fn priority(self) -> u8 {
        match self {
            Self::Email(EmailKind::SecondFactorCode) => 0,
            Self::Email(EmailKind::PasswordReset) | Self::Request(EmailRequest::PasswordReset) => 1,
            Self::Email(
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

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        EmailKind::from_name(name).map(Self::Email).or_else(|| EmailRequest::from_name(name).map(Self::Request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        let emails = EmailKind::ALL.iter().map(|kind| Queued::Email(*kind));
        for queued in emails.chain(EmailRequest::ALL.iter().map(|request| Queued::Request(*request))) {
            assert_eq!(Queued::from_name(queued.name()), Some(queued));
        }
        assert_eq!(Queued::from_name("invoice"), None);
    }
}
