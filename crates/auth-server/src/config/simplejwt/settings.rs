//! Every setting of SimpleJWT: its own value, how another one is read, and what it becomes here.

use serde_json::Value;

use super::dictionary::Dictionary;
use super::{keys, read};

/// A setting.
pub(super) struct Setting {
    /// Its name in SIMPLE_JWT.
    pub(super) name: &'static str,
    meaning: Meaning,
}

/// What a setting is here.
enum Meaning {
    /// A key of the configuration, `section.key`.
    Key { key: &'static str, own: Own, read: Read },
    /// Code of one's own, which cannot run here: refused unless it is SimpleJWT's, or none.
    Code { own: Option<&'static str>, reason: &'static str },
    /// Nothing, as the note says.
    Nothing { note: &'static str },
    /// It is no setting any more: SimpleJWT does not start with it.
    Removed { now: &'static str },
}

/// SimpleJWT's own value of a setting.
#[derive(Clone, Copy)]
enum Own {
    None,
    Text(&'static str),
    Number(u32),
    Flag(bool),
}

/// Reads a value, beside the rest of the dictionary. The error says what is wrong with it, without a secret.
type Read = fn(&Value, &Dictionary) -> Result<Outcome, String>;

/// What became of a setting.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The value of its key.
    pub(super) value: Option<toml::Value>,
    /// What to know about it; may have several lines.
    pub(super) note: String,
    /// It waits for the operator, as a comment.
    pub(super) is_proposal: bool,
}

impl Outcome {
    pub(super) fn of(value: impl Into<toml::Value>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A list of nothing.
    pub(super) fn of_no_entries() -> Self {
        Self::of(toml::value::Array::new())
    }

    pub(super) fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl Setting {
    /// The key that it becomes, `section.key`.
    pub(super) const fn key(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Key { key, .. } => Some(key),
            _ => None,
        }
    }

    /// What the dictionary says, else SimpleJWT's own value.
    pub(super) fn value(&self, dictionary: &Dictionary) -> Option<Value> {
        match self.meaning {
            Meaning::Key { own, .. } => Some(dictionary.get(self.name).cloned().unwrap_or_else(|| own.to_json())),
            _ => dictionary.get(self.name).cloned(),
        }
    }

    pub(super) fn translate(&self, dictionary: &Dictionary) -> Result<Outcome, String> {
        let Some(value) = self.value(dictionary) else { return Ok(Outcome::default()) };
        match self.meaning {
            Meaning::Key { read, .. } => read(&value, dictionary),
            Meaning::Code { own, reason } => read::code(&value, own, reason).map(|()| Outcome::default()),
            Meaning::Nothing { note } => read::text(&value).map(|_| Outcome::default().with_note(note)),
            Meaning::Removed { now } => Err(format!("was removed from SimpleJWT, which does not start with it; {now}")),
        }
    }
}

impl Own {
    fn to_json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Text(text) => text.into(),
            Self::Number(number) => number.into(),
            Self::Flag(flag) => flag.into(),
        }
    }
}

const fn key(name: &'static str, key: &'static str, own: Own, read: Read) -> Setting {
    Setting { name, meaning: Meaning::Key { key, own, read } }
}

const fn code(name: &'static str, own: Option<&'static str>, reason: &'static str) -> Setting {
    Setting { name, meaning: Meaning::Code { own, reason } }
}

const fn removed(name: &'static str, now: &'static str) -> Setting {
    Setting { name, meaning: Meaning::Removed { now } }
}

const PLAIN: Read = |value, _| Ok(Outcome::of(read::flag(value)?));
const LIFETIME: Read = |value, _| Ok(Outcome::of(read::lifetime(value)?));
const CLAIM_NAME: Read = |value, _| Ok(Outcome::of(read::claim_name(value)?));

const OWN_CLAIMS: &str = "a serializer of your own cannot run here; claims of the account that it adds (email, role, \
                          username, groups) are named in `tokens.claims`, others come from the port `ClaimsProvider`";
const OWN_REFRESH: &str = "a serializer of your own cannot run here; claims are made anew at each refresh, see \
                           `tokens.claims` and the port `ClaimsProvider`";
const OWN_ANSWER: &str = "a serializer of your own cannot run here, and nothing stands for it";
const OWN_LISTENER: &str =
    "a function of your own cannot run here; logins, good and bad, are security events in the log";

const OBTAIN: &str = "rest_framework_simplejwt.serializers.TokenObtainPairSerializer";

/// Every setting, in the order in which it is printed. One setting may be two keys.
pub(super) const SETTINGS: &[Setting] = &[
    key("AUTH_HEADER_NAME", "http.auth_header_name", Own::Text("HTTP_AUTHORIZATION"), |value, _| {
        Ok(Outcome::of(read::header_name(value)?))
    }),
    key("AUTH_HEADER_TYPES", "http.auth_header_types", Own::Text("Bearer"), |value, _| {
        Ok(Outcome::of(read::header_types(value)?))
    }),
    key("ALGORITHM", "tokens.algorithm", Own::Text("HS256"), |value, _| Ok(Outcome::of(read::algorithm(value)?))),
    key("SIGNING_KEY", "tokens.generate_key", Own::None, |_, _| Ok(keys::none_made_up())),
    key("SIGNING_KEY", "tokens.signing_key_file", Own::None, |_, dictionary| keys::signing(dictionary)),
    key("VERIFYING_KEY", "tokens.verifying_key_files", Own::Text(""), keys::verifying),
    key("JWK_URL", "tokens.jwks_url", Own::None, keys::jwk_url),
    key("ISSUER", "tokens.issuer", Own::None, |value, _| Ok(Outcome::of(read::party(value)?))),
    key("AUDIENCE", "tokens.audience", Own::None, |value, _| Ok(Outcome::of(read::audience(value)?))),
    key("LEEWAY", "tokens.leeway_seconds", Own::Number(0), |value, _| Ok(Outcome::of(read::leeway(value)?))),
    key("TOKEN_TYPE_CLAIM", "tokens.token_type_claim", Own::Text("token_type"), |value, _| {
        let why = "without a kind in it, a refresh token would open guarded routes (RFC 8725 §3.11)";
        read::claim_that_must_be(value, why).map(Outcome::of)
    }),
    key("JTI_CLAIM", "tokens.jti_claim", Own::Text("jti"), |value, _| {
        let why = "a token without an id cannot be taken out of use";
        read::claim_that_must_be(value, why).map(Outcome::of)
    }),
    key("USER_ID_CLAIM", "tokens.user_id_claim", Own::Text("user_id"), CLAIM_NAME),
    key("USER_ID_FIELD", "tokens.user_id_field", Own::Text("id"), |value, _| read::user_id_field(value)),
    key("TOKEN_OBTAIN_SERIALIZER", "tokens.claims", Own::Text(OBTAIN), |value, _| {
        read::code(value, Some(OBTAIN), OWN_CLAIMS)?;
        let note = "SimpleJWT's own adds no claims. If a view of yours names one that does:\n\
                    email, role, username and groups can be listed here.";
        Ok(Outcome::of_no_entries().with_note(note))
    }),
    key("AUTH_TOKEN_CLASSES", "tokens.accepted_kinds", Own::Text("AccessToken"), |value, _| {
        Ok(Outcome::of(read::token_classes(value)?))
    }),
    key("ACCESS_TOKEN_LIFETIME", "tokens.access_ttl_seconds", Own::Number(300), LIFETIME),
    key("REFRESH_TOKEN_LIFETIME", "tokens.refresh_ttl_seconds", Own::Number(86_400), LIFETIME),
    key("SLIDING_TOKEN_LIFETIME", "tokens.sliding_ttl_seconds", Own::Number(300), LIFETIME),
    key("SLIDING_TOKEN_REFRESH_LIFETIME", "tokens.sliding_refresh_ttl_seconds", Own::Number(86_400), LIFETIME),
    key("SLIDING_TOKEN_REFRESH_EXP_CLAIM", "tokens.sliding_refresh_exp_claim", Own::Text("refresh_exp"), CLAIM_NAME),
    key("ROTATE_REFRESH_TOKENS", "tokens.rotate_refresh_tokens", Own::Flag(false), PLAIN),
    key("BLACKLIST_AFTER_ROTATION", "tokens.blacklist_after_rotation", Own::Flag(false), |value, _| {
        let is_on = read::flag(value)?;
        let note = "SimpleJWT skips it in silence where the app token_blacklist is not installed; here it is done.";
        Ok(Outcome::of(is_on).with_note(if is_on { note } else { "" }))
    }),
    key("CHECK_REVOKE_TOKEN", "tokens.check_session_on_access", Own::Flag(false), |value, _| {
        let is_on = read::flag(value)?;
        let note = "a change of the password ends the sessions of the account, and with them\n\
                    their access tokens; no claim is needed for that.";
        Ok(Outcome::of(is_on).with_note(if is_on { note } else { "" }))
    }),
    Setting {
        name: "REVOKE_TOKEN_CLAIM",
        meaning: Meaning::Nothing { note: "has no effect here: no fingerprint of a password is in any token." },
    },
    key("CHECK_USER_IS_ACTIVE", "tokens.check_user_is_active", Own::Flag(true), PLAIN),
    key("UPDATE_LAST_LOGIN", "tokens.update_last_login", Own::Flag(false), PLAIN),
    code("JSON_ENCODER", None, "a class of your own cannot run here; claims are plain JSON"),
    code(
        "TOKEN_USER_CLASS",
        Some("rest_framework_simplejwt.models.TokenUser"),
        "a class of your own cannot run here; guarded routes get the account as it is stored (`CurrentUser`)",
    ),
    code(
        "USER_AUTHENTICATION_RULE",
        Some("rest_framework_simplejwt.authentication.default_user_authentication_rule"),
        "a function of your own cannot run here; the rule is that the account exists and is active",
    ),
    code("TOKEN_REFRESH_SERIALIZER", Some("rest_framework_simplejwt.serializers.TokenRefreshSerializer"), OWN_REFRESH),
    code("TOKEN_VERIFY_SERIALIZER", Some("rest_framework_simplejwt.serializers.TokenVerifySerializer"), OWN_ANSWER),
    code(
        "TOKEN_BLACKLIST_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenBlacklistSerializer"),
        OWN_ANSWER,
    ),
    code(
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"),
        OWN_CLAIMS,
    ),
    code(
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer"),
        OWN_REFRESH,
    ),
    code("ON_LOGIN_SUCCESS", Some("rest_framework_simplejwt.serializers.default_on_login_success"), OWN_LISTENER),
    code("ON_LOGIN_FAILED", Some("rest_framework_simplejwt.serializers.default_on_login_failed"), OWN_LISTENER),
    removed("AUTH_HEADER_TYPE", "use AUTH_HEADER_TYPES"),
    removed("AUTH_TOKEN_CLASS", "use AUTH_TOKEN_CLASSES"),
    removed("SECRET_KEY", "use SIGNING_KEY"),
    removed("TOKEN_BACKEND_CLASS", "use ALGORITHM, SIGNING_KEY and VERIFYING_KEY"),
];
