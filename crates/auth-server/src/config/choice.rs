//! Settings with a fixed set of values. The variants of each enum are the values that its key allows; `config/default.toml`
//! documents them.

use auth_accounts::{account, service};
use auth_core::{auth_cache, rotation, token};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a retry of a refresh is answered: `tokens.on_retry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRetry {
    /// 401; the session stays live.
    Refuse,
    /// The same successor again.
    Replay,
}

impl From<OnRetry> for rotation::OnRetry {
    fn from(choice: OnRetry) -> Self {
        match choice {
            OnRetry::Refuse => Self::Refuse,
            OnRetry::Replay => Self::Replay,
        }
    }
}

/// The field that identifies a user in tokens: `tokens.user_id_field`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserIdField {
    /// The user ID.
    Id,
    /// The username.
    Username,
    /// The email address.
    Email,
}

impl From<UserIdField> for token::SubjectField {
    fn from(choice: UserIdField) -> Self {
        match choice {
            UserIdField::Id => Self::Id,
            UserIdField::Username => Self::Username,
            UserIdField::Email => Self::Email,
        }
    }
}

/// A token type that opens guarded routes: an item of `tokens.accepted_kinds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceptedKind {
    /// Access tokens.
    Access,
    /// Sliding tokens.
    Sliding,
}

impl From<AcceptedKind> for token::TokenKind {
    fn from(choice: AcceptedKind) -> Self {
        match choice {
            AcceptedKind::Access => Self::Access,
            AcceptedKind::Sliding => Self::Sliding,
        }
    }
}

/// A claim taken from the account: an item of `tokens.claims`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserClaim {
    /// The email address.
    Email,
    /// `admin` for staff and superusers, otherwise `user`.
    Role,
    /// The username.
    Username,
    /// The names of the groups.
    Groups,
}

impl From<UserClaim> for token::ProfileClaim {
    fn from(choice: UserClaim) -> Self {
        match choice {
            UserClaim::Email => Self::Email,
            UserClaim::Role => Self::Role,
            UserClaim::Username => Self::Username,
            UserClaim::Groups => Self::Groups,
        }
    }
}

/// What guarded routes do while the invalidation feed is unavailable: `guards.when_stale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenStale {
    /// They read the database.
    Read,
    /// They answer 503.
    Refuse,
}

impl From<WhenStale> for auth_cache::WhenStale {
    fn from(choice: WhenStale) -> Self {
        match choice {
            WhenStale::Read => Self::Read,
            WhenStale::Refuse => Self::Refuse,
        }
    }
}

/// Whether users verify their email address: `accounts.email_verification`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailVerification {
    /// No.
    Off,
    /// They receive an email to verify it.
    Optional,
    /// They receive the email, and cannot log in before they have verified the address.
    Required,
}

impl From<EmailVerification> for service::EmailVerification {
    fn from(choice: EmailVerification) -> Self {
        match choice {
            EmailVerification::Off => Self::Off,
            EmailVerification::Optional => Self::Optional,
            EmailVerification::Required => Self::Required,
        }
    }
}

/// Which IDs new users get: `accounts.new_user_ids`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NewUserIds {
    /// Integers.
    Integer,
    /// UUIDs.
    Uuid,
}

impl From<NewUserIds> for account::NewUserIds {
    fn from(choice: NewUserIds) -> Self {
        match choice {
            NewUserIds::Integer => Self::Integer,
            NewUserIds::Uuid => Self::Uuid,
        }
    }
}

/// Which users need a second factor: `second_factor.required_for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequiredFor {
    /// None.
    Nobody,
    /// Staff and superusers.
    Staff,
    /// Every user.
    All,
}

impl From<RequiredFor> for token::RequiredFor {
    fn from(choice: RequiredFor) -> Self {
        match choice {
            RequiredFor::Nobody => Self::Nobody,
            RequiredFor::Staff => Self::Staff,
            RequiredFor::All => Self::All,
        }
    }
}

/// How emails are delivered: `mail.transport`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// To a mail server.
    Smtp,
    /// Into files.
    Folder,
    /// Not at all.
    None,
}

/// How the connection to a mail server is protected: `mail.smtp_tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// TLS after the greeting.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// None.
    None,
}

impl From<SmtpTls> for auth_mail::SmtpTls {
    fn from(choice: SmtpTls) -> Self {
        match choice {
            SmtpTls::StartTls => Self::StartTls,
            SmtpTls::Implicit => Self::Implicit,
            SmtpTls::None => Self::None,
        }
    }
}

/// How log records are written: `log.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Deserializes an enum from a string. Going through serde's own deserializer, unlike that of the `config` crate, gives an
/// error message with the allowed values, which [`not_allowed`] parses.
pub(super) fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

/// Deserializes a list of values, or a comma-separated string, as in environment variables.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        List(Vec<String>),
        Joined(String),
    }
    let items = match Either::deserialize(deserializer)? {
        Either::List(list) => list,
        Either::Joined(items) => {
            items.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
    };
    items.into_iter().map(|item| T::deserialize(item.into_deserializer())).collect()
}

/// An enum value, or `None` for an empty string.
pub(super) mod optional {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        let value = String::deserialize(deserializer)?;
        if value.is_empty() { Ok(None) } else { T::deserialize(value.into_deserializer()).map(Some) }
    }

    pub(in crate::config) fn serialize<S, T>(choice: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize,
    {
        match choice {
            None => serializer.serialize_str(""),
            Some(choice) => choice.serialize(serializer),
        }
    }
}

/// Converts serde's message "unknown variant `x`, expected `y` or `z`"; returns `None` for any other message.
pub(super) fn not_allowed(message: &str) -> Option<String> {
    let (found, allowed) = message.strip_prefix("unknown variant `")?.rsplit_once("`, expected ")?;
    Some(format!("is {found:?}; must be {}", allowed.replace('`', "\"")))
}

#[cfg(test)]
mod tests {
    use auth_core::token::{ProfileClaim, SubjectField};

    use crate::config::{Checked, Sources, load};

    fn load_with(variable: &str, value: &str) -> anyhow::Result<Checked> {
        let environment = [("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off"), (variable, value)];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() })
    }

    #[test]
    fn an_error_names_the_key_the_value_and_the_allowed_values() {
        for (key, allowed) in [
            ("tokens.on_retry", r#""refuse" or "replay""#),
            ("tokens.user_id_field", r#"one of "id", "username", "email""#),
            ("tokens.accepted_kinds", r#""access" or "sliding""#),
            ("tokens.claims", r#"one of "email", "role", "username", "groups""#),
            ("guards.when_stale", r#""read" or "refuse""#),
            ("accounts.new_user_ids", r#""integer" or "uuid""#),
            ("second_factor.required_for", r#"one of "nobody", "staff", "all""#),
            ("mail.transport", r#"one of "smtp", "folder", "none""#),
            ("mail.smtp_tls", r#"one of "starttls", "implicit", "none""#),
            ("log.format", r#""text" or "json""#),
        ] {
            let variable = format!("AUTH__{}", key.to_uppercase().replace('.', "__"));
            let error = load_with(&variable, "a `word`\n1").map(|_| ()).unwrap_err().to_string();
            assert_eq!(error, format!(r#"{key}: is "a `word`\n1"; must be {allowed}"#));
        }
        let error = load_with("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "").map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, r#"accounts.email_verification: is ""; must be one of "off", "optional", "required""#);
        let error = load_with("AUTH__TOKENS__ALGORITHM", "HS1").map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            error,
            "tokens.algorithm: is \"HS1\"; must be auto or one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, \
             PS512, ES256, ES384, EdDSA"
        );
    }

    #[test]
    fn every_allowed_value_is_serialized_as_it_was_read() {
        for (variable, values) in [
            ("AUTH__TOKENS__ON_RETRY", &["refuse", "replay"][..]),
            ("AUTH__TOKENS__USER_ID_FIELD", &["id", "username", "email"]),
            ("AUTH__TOKENS__ACCEPTED_KINDS", &["access", "sliding"]),
            ("AUTH__TOKENS__CLAIMS", &["email", "role", "username", "groups"]),
            ("AUTH__GUARDS__WHEN_STALE", &["read", "refuse"]),
            ("AUTH__ACCOUNTS__NEW_USER_IDS", &["integer", "uuid"]),
            ("AUTH__SECOND_FACTOR__REQUIRED_FOR", &["nobody", "staff", "all"]),
            ("AUTH__MAIL__TRANSPORT", &["", "folder", "none"]),
            ("AUTH__MAIL__SMTP_TLS", &["starttls", "implicit", "none"]),
            ("AUTH__LOG__FORMAT", &["text", "json"]),
        ] {
            for value in values {
                let settings = load_with(variable, value).unwrap().settings;
                let shown = toml::Table::try_from(&settings).unwrap();
                let (section, key) = variable.strip_prefix("AUTH__").unwrap().split_once("__").unwrap();
                let shown = &shown[&section.to_lowercase()][&key.to_lowercase()];
                let shown = shown.as_array().map_or(shown, |items| &items[0]);
                assert_eq!(shown.as_str(), Some(*value), "{variable}");
            }
        }
    }

    #[test]
    fn fields_and_claims_have_the_names_of_auth_core() {
        for field in SubjectField::ALL {
            let checked = load_with("AUTH__TOKENS__USER_ID_FIELD", field.name()).unwrap();
            assert_eq!(checked.tokens.claim_rules.subject_field, field);
        }
        let names = ProfileClaim::ALL.map(ProfileClaim::name).join(",");
        assert_eq!(load_with("AUTH__TOKENS__CLAIMS", &names).unwrap().claims, ProfileClaim::ALL);
    }
}
