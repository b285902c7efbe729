//! The settings that rows were recorded with: the usual ones and variants. Each has its own server.

use crate::contract::keys::{Key, RSA_FILE};
use crate::contract::recording::Row;
use crate::contract::users::Account;

/// Settings, and their effect on tokens.
pub(crate) struct Variant {
    /// The name in the areas of the recording; empty for the usual settings.
    pub(crate) name: &'static str,
    /// Variables in addition to the profile `simplejwt`.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The signing key.
    pub(crate) key: Key,
    /// The names of the claims for the token type, the token ID and the user.
    pub(crate) type_claim: &'static str,
    pub(crate) id_claim: &'static str,
    pub(crate) user_claim: &'static str,
    /// The value of the claim that names the user.
    pub(crate) user_of: fn(&Account) -> String,
    /// Whether tokens contain email address and role.
    pub(crate) has_profile_claims: bool,
    /// Further claims of every token.
    pub(crate) claims: &'static [(&'static str, &'static str)],
}

const USUAL: Variant = Variant {
    name: "",
    environment: &[],
    key: Key::Secret,
    type_claim: "token_type",
    id_claim: "jti",
    user_claim: "user_id",
    user_of: |account| account.id.to_string(),
    has_profile_claims: true,
    claims: &[],
};

/// The usual settings and all variants.
pub(crate) static VARIANTS: &[Variant] = &[
    USUAL,
    Variant {
        name: "norotate",
        environment: &[
            ("AUTH__TOKENS__ROTATE_REFRESH_TOKENS", "false"),
            ("AUTH__TOKENS__BLACKLIST_AFTER_ROTATION", "false"),
        ],
        ..USUAL
    },
    Variant { name: "rotateonly", environment: &[("AUTH__TOKENS__BLACKLIST_AFTER_ROTATION", "false")], ..USUAL },
    Variant {
        name: "sliding",
        // The reference implementation adds no claims to sliding tokens.
        environment: &[("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding"), ("AUTH__TOKENS__CLAIMS", "")],
        has_profile_claims: false,
        ..USUAL
    },
    Variant {
        name: "audiss",
        environment: &[("AUTH__TOKENS__AUDIENCE", "peer-aud"), ("AUTH__TOKENS__ISSUER", "peer-iss")],
        claims: &[("aud", "peer-aud"), ("iss", "peer-iss")],
        ..USUAL
    },
    Variant { name: "leeway", environment: &[("AUTH__TOKENS__LEEWAY_SECONDS", "10")], ..USUAL },
    Variant { name: "revoke", environment: &[("AUTH__TOKENS__CHECK_SESSION_ON_ACCESS", "true")], ..USUAL },
    Variant { name: "inactive", environment: &[("AUTH__TOKENS__CHECK_USER_IS_ACTIVE", "false")], ..USUAL },
    Variant {
        name: "headers",
        environment: &[
            ("AUTH__HTTP__AUTH_HEADER_TYPES", "JWT,Bearer"),
            ("AUTH__HTTP__AUTH_HEADER_NAME", "X-Access-Token"),
        ],
        ..USUAL
    },
    Variant {
        name: "claims",
        environment: &[
            ("AUTH__TOKENS__USER_ID_FIELD", "username"),
            ("AUTH__TOKENS__USER_ID_CLAIM", "sub"),
            ("AUTH__TOKENS__TOKEN_TYPE_CLAIM", "typ_"),
            ("AUTH__TOKENS__JTI_CLAIM", "id_"),
        ],
        type_claim: "typ_",
        id_claim: "id_",
        user_claim: "sub",
        user_of: |account| account.username.clone(),
        ..USUAL
    },
    Variant { name: "throttle", environment: &[("AUTH__THROTTLE__ANONYMOUS", "3/min")], ..USUAL },
    Variant {
        name: "rs256",
        environment: &[
            ("AUTH__TOKENS__ALGORITHM", "RS256"),
            ("AUTH__TOKENS__SIGNING_KEY_FILE", RSA_FILE),
            ("AUTH__TOKENS__SIGNING_KEY", ""),
        ],
        key: Key::Rsa,
        ..USUAL
    },
];

impl Variant {
    /// Returns the index of a row's variant in [`VARIANTS`].
    pub(crate) fn position_of(row: &Row) -> Result<usize, String> {
        let name = row.area.strip_prefix("variant: ").unwrap_or_default();
        let position = VARIANTS.iter().position(|variant| variant.name == name);
        position.ok_or_else(|| format!("{}: no settings for {}", row.id, row.area))
    }
}
