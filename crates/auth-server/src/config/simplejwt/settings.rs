//! Every setting of SimpleJWT: its default, its parser, and the key that replaces it.

use serde_json::Value;

use super::dictionary::Dictionary;
use super::{keys, read};

/// A setting of SimpleJWT.
pub(super) struct Setting {
    /// Its name in SIMPLE_JWT.
    pub(super) name: &'static str,
    meaning: Meaning,
}

/// What replaces a setting.
enum Meaning {
    /// A key of the configuration, `section.key`.
    Key { key: &'static str, default: DefaultValue, read: Read },
    /// Python code, which cannot run here: refused unless it is SimpleJWT's own or null.
    Code { own: Option<&'static str>, reason: &'static str },
    /// Nothing, as the note explains.
    Nothing { note: &'static str },
    /// Nothing: SimpleJWT has removed the setting and does not start with it.
    Removed { now: &'static str },
}

/// SimpleJWT's default of a setting.
#[derive(Clone, Copy)]
enum DefaultValue {
    None,
    String(&'static str),
    Number(u32),
    Flag(bool),
}

/// Parses a value; may depend on the rest of the dictionary. The error contains no secret.
type Read = fn(&Value, &Dictionary) -> Result<Outcome, String>;

/// The translation of a setting.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The value of its key.
    pub(super) value: Option<toml::Value>,
    /// A comment for the operator; may have several lines.
    pub(super) note: String,
    /// Whether the key is commented out, because the operator must complete it.
    pub(super) is_commented_out: bool,
}

impl Outcome {
    pub(super) fn of(value: impl Into<toml::Value>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// An empty list.
    pub(super) fn empty_list() -> Self {
        Self::of(toml::value::Array::new())
    }

    pub(super) fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

impl Setting {
    /// The key that replaces the setting, `section.key`.
    pub(super) const fn key(&self) -> Option<&'static str> {
        match self.meaning {
            Meaning::Key { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The value in the dictionary, or SimpleJWT's default.
    pub(super) fn value(&self, dictionary: &Dictionary) -> Option<Value> {
        match self.meaning {
            Meaning::Key { default, .. } => {
                Some(dictionary.get(self.name).cloned().unwrap_or_else(|| default.to_json()))
            }
            _ => dictionary.get(self.name).cloned(),
        }
    }

    pub(super) fn translate(&self, dictionary: &Dictionary) -> Result<Outcome, String> {
        let Some(value) = self.value(dictionary) else { return Ok(Outcome::default()) };
        match self.meaning {
            Meaning::Key { read, .. } => read(&value, dictionary),
            Meaning::Code { own, reason } => read::code(&value, own, reason).map(|()| Outcome::default()),
            Meaning::Nothing { note } => read::string(&value).map(|_| Outcome::default().with_note(note)),
            Meaning::Removed { now } => {
                Err(format!("was removed from SimpleJWT, which does not start if it is set; {now}"))
            }
        }
    }
}

impl DefaultValue {
    fn to_json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::String(string) => string.into(),
            Self::Number(number) => number.into(),
            Self::Flag(flag) => flag.into(),
        }
    }
}

const fn key(name: &'static str, key: &'static str, default: DefaultValue, read: Read) -> Setting {
    Setting { name, meaning: Meaning::Key { key, default, read } }
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

const CUSTOM_CLAIMS: &str = "a serializer of your own cannot run in this service; list the claims from the account that \
                             it adds (email, role, username, groups) in `tokens.claims`; others come from the port \
                             `ClaimsProvider`";
const CUSTOM_REFRESH: &str = "a serializer of your own cannot run in this service; claims are built again at each refresh, \
                              see `tokens.claims` and the port `ClaimsProvider`";
const CUSTOM_RESPONSE: &str = "a serializer of your own cannot run in this service, and nothing replaces it";
const CUSTOM_LISTENER: &str = "a function of your own cannot run in this service; logins and failed logins are security \
                               events in the log";

const OBTAIN: &str = "rest_framework_simplejwt.serializers.TokenObtainPairSerializer";

/// Every setting, in the order in which it is printed. One setting may be two keys.
pub(super) const SETTINGS: &[Setting] = &[
    key("AUTH_HEADER_NAME", "http.auth_header_name", DefaultValue::String("HTTP_AUTHORIZATION"), |value, _| {
        Ok(Outcome::of(read::header_name(value)?))
    }),
    key("AUTH_HEADER_TYPES", "http.auth_header_types", DefaultValue::String("Bearer"), |value, _| {
        Ok(Outcome::of(read::header_types(value)?))
    }),
    key("ALGORITHM", "tokens.algorithm", DefaultValue::String("HS256"), |value, _| {
        Ok(Outcome::of(read::algorithm(value)?))
    }),
    key("SIGNING_KEY", "tokens.generate_key", DefaultValue::None, |_, _| Ok(keys::never_generated())),
    key("SIGNING_KEY", "tokens.signing_key_file", DefaultValue::None, |_, dictionary| keys::signing(dictionary)),
    key("VERIFYING_KEY", "tokens.verifying_key_files", DefaultValue::String(""), keys::verifying),
    key("JWK_URL", "tokens.jwks_url", DefaultValue::None, keys::jwk_url),
    key("ISSUER", "tokens.issuer", DefaultValue::None, |value, _| Ok(Outcome::of(read::party(value)?))),
    key("AUDIENCE", "tokens.audience", DefaultValue::None, |value, _| Ok(Outcome::of(read::audience(value)?))),
    key("LEEWAY", "tokens.leeway_seconds", DefaultValue::Number(0), |value, _| Ok(Outcome::of(read::leeway(value)?))),
    key("TOKEN_TYPE_CLAIM", "tokens.token_type_claim", DefaultValue::String("token_type"), |value, _| {
        let why = "without a token type, a refresh token would open guarded routes (RFC 8725 §3.11)";
        read::required_claim_name(value, why).map(Outcome::of)
    }),
    key("JTI_CLAIM", "tokens.jti_claim", DefaultValue::String("jti"), |value, _| {
        let why = "a token without an ID cannot be revoked";
        read::required_claim_name(value, why).map(Outcome::of)
    }),
    key("USER_ID_CLAIM", "tokens.user_id_claim", DefaultValue::String("user_id"), CLAIM_NAME),
    key("USER_ID_FIELD", "tokens.user_id_field", DefaultValue::String("id"), |value, _| read::user_id_field(value)),
    key("TOKEN_OBTAIN_SERIALIZER", "tokens.claims", DefaultValue::String(OBTAIN), |value, _| {
        read::code(value, Some(OBTAIN), CUSTOM_CLAIMS)?;
        let note = "SimpleJWT's own serializer adds no claims. If a view of yours uses one that does,\n\
                    list those of email, role, username and groups that it adds.";
        Ok(Outcome::empty_list().with_note(note))
    }),
    key("AUTH_TOKEN_CLASSES", "tokens.accepted_kinds", DefaultValue::String("AccessToken"), |value, _| {
        Ok(Outcome::of(read::token_classes(value)?))
    }),
    key("ACCESS_TOKEN_LIFETIME", "tokens.access_ttl_seconds", DefaultValue::Number(300), LIFETIME),
    key("REFRESH_TOKEN_LIFETIME", "tokens.refresh_ttl_seconds", DefaultValue::Number(86_400), LIFETIME),
    key("SLIDING_TOKEN_LIFETIME", "tokens.sliding_ttl_seconds", DefaultValue::Number(300), LIFETIME),
    key("SLIDING_TOKEN_REFRESH_LIFETIME", "tokens.sliding_refresh_ttl_seconds", DefaultValue::Number(86_400), LIFETIME),
    key(
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "tokens.sliding_refresh_exp_claim",
        DefaultValue::String("refresh_exp"),
        CLAIM_NAME,
    ),
    key("ROTATE_REFRESH_TOKENS", "tokens.rotate_refresh_tokens", DefaultValue::Flag(false), PLAIN),
    key("BLACKLIST_AFTER_ROTATION", "tokens.blacklist_after_rotation", DefaultValue::Flag(false), |value, _| {
        let is_on = read::flag(value)?;
        let note = "SimpleJWT silently ignores it if the app token_blacklist is not installed; here it always applies.";
        Ok(Outcome::of(is_on).with_note(if is_on { note } else { "" }))
    }),
    key("CHECK_REVOKE_TOKEN", "tokens.check_session_on_access", DefaultValue::Flag(false), |value, _| {
        let is_on = read::flag(value)?;
        let note = "a password change revokes the sessions of the account and their access tokens;\n\
                    this needs no claim.";
        Ok(Outcome::of(is_on).with_note(if is_on { note } else { "" }))
    }),
    Setting {
        name: "REVOKE_TOKEN_CLAIM",
        meaning: Meaning::Nothing { note: "has no effect: no token contains a fingerprint of the password." },
    },
    key("CHECK_USER_IS_ACTIVE", "tokens.check_user_is_active", DefaultValue::Flag(true), PLAIN),
    key("UPDATE_LAST_LOGIN", "tokens.update_last_login", DefaultValue::Flag(false), PLAIN),
    code("JSON_ENCODER", None, "a class of your own cannot run in this service; claims are plain JSON"),
    code(
        "TOKEN_USER_CLASS",
        Some("rest_framework_simplejwt.models.TokenUser"),
        "a class of your own cannot run in this service; handlers get the stored account (`CurrentUser`)",
    ),
    code(
        "USER_AUTHENTICATION_RULE",
        Some("rest_framework_simplejwt.authentication.default_user_authentication_rule"),
        "a function of your own cannot run in this service; the rule is that the account exists and is active",
    ),
    code(
        "TOKEN_REFRESH_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenRefreshSerializer"),
        CUSTOM_REFRESH,
    ),
    code(
        "TOKEN_VERIFY_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenVerifySerializer"),
        CUSTOM_RESPONSE,
    ),
    code(
        "TOKEN_BLACKLIST_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenBlacklistSerializer"),
        CUSTOM_RESPONSE,
    ),
    code(
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"),
        CUSTOM_CLAIMS,
    ),
    code(
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        Some("rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer"),
        CUSTOM_REFRESH,
    ),
    code("ON_LOGIN_SUCCESS", Some("rest_framework_simplejwt.serializers.default_on_login_success"), CUSTOM_LISTENER),
    code("ON_LOGIN_FAILED", Some("rest_framework_simplejwt.serializers.default_on_login_failed"), CUSTOM_LISTENER),
    removed("AUTH_HEADER_TYPE", "use AUTH_HEADER_TYPES"),
    removed("AUTH_TOKEN_CLASS", "use AUTH_TOKEN_CLASSES"),
    removed("SECRET_KEY", "use SIGNING_KEY"),
    removed("TOKEN_BACKEND_CLASS", "use ALGORITHM, SIGNING_KEY and VERIFYING_KEY"),
];
