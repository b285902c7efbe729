//! The checks of the claims of a well-signed token (RFC 7519 §4.1), in the order of docs/wire-contract.md (section 3,
//! step 2). A claim of the wrong type is an error, never "absent" (CVE-2026-25537).

use serde_json::Value;

use crate::time::{Seconds, UnixTime};
use crate::token::{
    ClaimNames, Generation, Payload, SessionId, SubjectClaim, SubjectField, TokenClaims, TokenFault, TokenId, TokenKind,
};

/// The rules for the claims of accepted tokens, and for those of new ones.
///
/// ```
/// use auth_core::time::UnixTime;
/// use auth_core::token::{ClaimRules, TokenFault};
/// use serde_json::json;
/// let rules = ClaimRules::default();
/// let payload = json!({"token_type": "access", "exp": 1_000, "jti": "a", "user_id": "3"});
/// let read_at = |now| rules.read(payload.as_object().unwrap().clone(), true, UnixTime::from_seconds(now));
/// assert!(read_at(999).is_ok());
/// assert_eq!(read_at(1_000).unwrap_err(), TokenFault::Expired);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimRules {
    /// The leeway for clocks that differ. It applies to `exp`, `nbf` and `iat`, to the end of a session, and to the end
    /// of the refresh period of a sliding token.
    pub leeway: Seconds,
    /// The issuer, written as `iss` and required in presented tokens (RFC 7519 §4.1.1). With `None`, `iss` is neither
    /// written nor checked.
    pub issuer: Option<String>,
    /// The audience, written as `aud` and required in presented tokens, alone or in a list (RFC 7519 §4.1.3). With
    /// `None`, `aud` is neither written nor checked.
    pub audience: Option<String>,
    /// The configurable claim names.
    pub names: ClaimNames,
    /// The field of an account that is the subject of its tokens.
    pub subject_field: SubjectField,
}

impl ClaimRules {
    /// Reads and checks the payload of a well-signed token. `is_own` says whether a key of this deployment signed it,
    /// and not that of another issuer.
    ///
    /// # Errors
    /// [`TokenFault::Expired`] or [`TokenFault::BadClaim`].
    pub fn read(&self, mut payload: Payload, is_own: bool, now: UnixTime) -> Result<TokenClaims, TokenFault> {
        let latest = now.plus(self.leeway);
        let issued_at = numeric_date(payload.remove("iat"))?;
        if issued_at.is_some_and(|time| time > latest) {
            return Err(TokenFault::BadClaim);
        }
        if numeric_date(payload.get("nbf").cloned())?.is_some_and(|time| time > latest) {
            return Err(TokenFault::BadClaim);
        }
        let expires_at = numeric_date(payload.remove("exp"))?;
        if expires_at.is_some_and(|time| time.plus(self.leeway) <= now) {
            return Err(TokenFault::Expired);
        }
        self.check_registered(&payload)?;
        let id = string(payload.remove(self.names.id()))?;
        let id = id.map(|id| TokenId::parse(&id).ok_or(TokenFault::BadClaim)).transpose()?;
        let (session, generation) = if is_own { membership(&mut payload)? } else { (None, None) };
        let subject = SubjectClaim::read(payload.remove(self.names.subject()).as_ref(), self.subject_field);
        let kind = match payload.remove(self.names.kind()) {
            None => None,
            Some(Value::String(kind)) => Some(kind),
            Some(_) => Some(String::new()), // Present, but no token type.
        };
        let refresh_expires_at = match kind.as_deref() == Some(TokenKind::Sliding.name()) {
            true => numeric_date(payload.remove(self.names.refresh_expiry()))?,
            false => None,
        };
        Ok(TokenClaims {
            kind,
            id,
            expires_at,
            issued_at,
            subject,
            session,
            generation,
            refresh_expires_at,
            is_own,
            custom: payload,
        })
    }

    /// Checks that `iss` and `aud` are as configured, and that `sub` and `jti` are strings, even if the subject and the
    /// token ID are claims with other names (RFC 7519 §4.1).
    fn check_registered(&self, payload: &Payload) -> Result<(), TokenFault> {
        let is = |claim: Option<&Value>, expected: &str| claim.and_then(Value::as_str) == Some(expected);
        let includes = |claim: Option<&Value>, expected: &str| match claim {
            Some(Value::Array(list)) => {
                list.iter().all(Value::is_string) && list.iter().any(|value| value.as_str() == Some(expected))
            }
            claim => is(claim, expected),
        };
        let issuer_fits = self.issuer.as_deref().is_none_or(|issuer| is(payload.get("iss"), issuer));
        let audience_fits = self.audience.as_deref().is_none_or(|audience| includes(payload.get("aud"), audience));
        let are_strings = ["sub", "jti"].iter().all(|name| payload.get(*name).is_none_or(Value::is_string));
        if issuer_fits && audience_fits && are_strings { Ok(()) } else { Err(TokenFault::BadClaim) }
    }

    /// Writes `iss` and `aud` where they are configured.
    pub(crate) fn stamp(&self, payload: &mut Payload) {
        for (name, value) in [("iss", &self.issuer), ("aud", &self.audience)] {
            if let Some(value) = value {
                payload.insert(name.to_owned(), value.as_str().into());
            }
        }
    }
}

/// Reads a NumericDate (RFC 7519 §2): a JSON number, truncated to whole seconds, up to [`UnixTime::MAX`].
fn numeric_date(claim: Option<Value>) -> Result<Option<UnixTime>, TokenFault> {
    let Some(claim) = claim else { return Ok(None) };
    let seconds = claim.as_i64().or_else(|| claim.as_f64().and_then(whole_seconds)).ok_or(TokenFault::BadClaim)?;
    let time = UnixTime::from_seconds(seconds);
    if time > UnixTime::MAX { Err(TokenFault::BadClaim) } else { Ok(Some(time)) }
}

/// Truncates a number to whole seconds. Numbers outside the range of `i64` saturate: they are then above
/// [`UnixTime::MAX`], or long expired.
fn whole_seconds(number: f64) -> Option<i64> {
    number.is_finite().then_some(number as i64)
}

fn string(claim: Option<Value>) -> Result<Option<String>, TokenFault> {
    match claim {
        None => Ok(None),
        Some(Value::String(string)) => Ok(Some(string)),
        Some(_) => Err(TokenFault::BadClaim),
    }
}

/// Reads `sid` and `gen`, which are absent in externally issued tokens.
///
/// # Errors
/// [`TokenFault::BadClaim`] if one is present and malformed.
fn membership(payload: &mut Payload) -> Result<(Option<SessionId>, Option<Generation>), TokenFault> {
    let session = match string(payload.remove("sid"))? {
        None => None,
        Some(sid) => Some(SessionId::parse(&sid).ok_or(TokenFault::BadClaim)?),
    };
    let generation = match payload.remove("gen") {
        None => None,
        Some(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or(TokenFault::BadClaim)?;
            Some(Generation::new(number))
        }
    };
    Ok((session, generation))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn read(rules: &ClaimRules, changes: Value) -> Result<TokenClaims, TokenFault> {
        let mut payload = json!({"token_type": "access", "exp": NOW + 300, "iat": NOW, "jti": "a", "user_id": "3"});
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        let present = |(_, value): &(String, Value)| *value != json!("absent");
        let payload = payload.as_object().unwrap().clone().into_iter().filter(present).collect();
        rules.read(payload, true, UnixTime::from_seconds(NOW))
    }

    #[test]
    fn session_claims_of_another_issuer_are_ignored() {
        let payload = json!({"exp": NOW + 300, "jti": "a", "user_id": "3", "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
            "gen": "x"});
        let read = |is_own| {
            ClaimRules::default().read(payload.as_object().unwrap().clone(), is_own, UnixTime::from_seconds(NOW))
        };
        assert_eq!(read(true), Err(TokenFault::BadClaim));
        let claims = read(false).unwrap();
        assert_eq!((claims.session, claims.generation, claims.is_own), (None, None, false));
    }

    #[test]
    fn claims_at_every_boundary() {
        use TokenFault::{BadClaim, Expired};
        for (changes, expected) in [
            (json!({}), None),
            (json!({"exp": NOW + 1}), None),
            (json!({"exp": NOW}), Some(Expired)),
            (json!({"exp": NOW - 1}), Some(Expired)),
            (json!({"exp": -5}), Some(Expired)),
            (json!({"exp": NOW as f64 + 300.5}), None),
            (json!({"exp": NOW as f64 + 0.5}), Some(Expired)),
            (json!({"exp": "absent"}), None),
            (json!({"exp": (NOW + 300).to_string()}), Some(BadClaim)),
            (json!({"exp": "tomorrow"}), Some(BadClaim)),
            (json!({"exp": null}), Some(BadClaim)),
            (json!({"exp": true}), Some(BadClaim)),
            (json!({"exp": [NOW]}), Some(BadClaim)),
            (json!({"exp": 10_i64.pow(18)}), Some(BadClaim)),
            (json!({"exp": u64::MAX}), Some(BadClaim)),
            (json!({"exp": 1e40}), Some(BadClaim)),
            (json!({"exp": -1e40}), Some(Expired)),
            (json!({"exp": UnixTime::MAX.seconds()}), None),
            (json!({"exp": UnixTime::MAX.seconds() + 1}), Some(BadClaim)),
            (json!({"iat": NOW}), None),
            (json!({"iat": NOW + 1}), Some(BadClaim)),
            (json!({"iat": "absent"}), None),
            (json!({"iat": "now"}), Some(BadClaim)),
            (json!({"nbf": NOW}), None),
            (json!({"nbf": NOW + 1}), Some(BadClaim)),
            (json!({"nbf": NOW.to_string()}), Some(BadClaim)),
            (json!({"nbf": null}), Some(BadClaim)),
            (json!({"jti": "absent"}), None),
            (json!({"jti": 5}), Some(BadClaim)),
            (json!({"jti": ""}), Some(BadClaim)),
            (json!({"jti": "a\u{0}"}), Some(BadClaim)),
            (json!({"jti": "x".repeat(256)}), Some(BadClaim)),
            (json!({"sub": "alice"}), None),
            (json!({"sub": 3}), Some(BadClaim)),
            (json!({"aud": "anybody"}), None),
            (json!({"iss": 7}), None),
            (json!({"user_id": [1]}), None),
            (json!({"sid": "e430b0ef5c2a40d3a7c2fa027bd9afc1"}), None),
            (json!({"sid": "x"}), Some(BadClaim)),
            (json!({"sid": 1}), Some(BadClaim)),
            (json!({"gen": 7}), None),
            (json!({"gen": -1}), Some(BadClaim)),
            (json!({"gen": 1.5}), Some(BadClaim)),
            (json!({"gen": u64::MAX}), Some(BadClaim)),
        ] {
            assert_eq!(read(&ClaimRules::default(), changes.clone()).err(), expected, "{changes}");
        }
    }

    #[test]
    fn leeway_applies_to_past_and_future_times() {
        let rules = ClaimRules { leeway: Seconds::new(10), ..ClaimRules::default() };
        for (changes, expected) in [
            (json!({"exp": NOW - 9}), None),
            (json!({"exp": NOW - 10}), Some(TokenFault::Expired)),
            (json!({"nbf": NOW + 10}), None),
            (json!({"nbf": NOW + 11}), Some(TokenFault::BadClaim)),
            (json!({"iat": NOW + 10}), None),
            (json!({"iat": NOW + 11}), Some(TokenFault::BadClaim)),
        ] {
            assert_eq!(read(&rules, changes.clone()).err(), expected, "{changes}");
        }
    }

    #[test]
    fn issuer_and_audience_are_required_when_configured() {
        let rules = ClaimRules { issuer: Some("us".into()), audience: Some("them".into()), ..ClaimRules::default() };
        for (changes, accepted) in [
            (json!({"iss": "us", "aud": "them"}), true),
            (json!({"iss": "us", "aud": ["others", "them"]}), true),
            (json!({"iss": "us", "aud": ["them", 1]}), false),
            (json!({"iss": "us", "aud": ["others"]}), false),
            (json!({"iss": "us", "aud": []}), false),
            (json!({"iss": "us"}), false),
            (json!({"aud": "them"}), false),
            (json!({"iss": "me", "aud": "them"}), false),
            (json!({"iss": ["us"], "aud": "them"}), false),
        ] {
            assert_eq!(read(&rules, changes.clone()).is_ok(), accepted, "{changes}");
        }
    }

    #[test]
    fn expiry_token_id_and_type_are_required_in_this_order() {
        use crate::token::TokenKind::Access;
        for (changes, expected) in [
            (json!({}), None),
            (json!({"exp": "absent", "jti": "absent", "token_type": "absent"}), Some(TokenFault::NoExpiry)),
            (json!({"jti": "absent", "token_type": "absent"}), Some(TokenFault::NoId)),
            (json!({"token_type": "absent"}), Some(TokenFault::NoKind)),
            (json!({"token_type": "refresh"}), Some(TokenFault::WrongKind)),
            (json!({"token_type": "Access"}), Some(TokenFault::WrongKind)),
            (json!({"token_type": 1}), Some(TokenFault::WrongKind)),
        ] {
            let claims = read(&ClaimRules::default(), changes.clone()).unwrap();
            assert_eq!(claims.require(Access).err(), expected, "{changes}");
        }
    }
}
