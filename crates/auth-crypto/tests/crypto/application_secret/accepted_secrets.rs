//! Which secrets are accepted.

use auth_crypto::{ApplicationSecret, ApplicationSecretError, KeyError, WhichSecret, generate_secret};

use crate::fixture::*;

#[test]
fn rejects_weak_and_published_secrets_in_every_position() {
    let too_short = |bytes| Some((bytes, None));
    let published = Some((0, Some(KeyError::SecretPublished)));
    let is_key = Some((0, Some(KeyError::SecretIsKey)));
    let random = "kN4uP0sV7bQ2xY9w".repeat(2);
    let body: String = P256_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect();
    for (secret, fault) in [
        (random.as_str(), None),
        (&"p\u{e4}sswort".repeat(4), None),
        (generate_secret().unwrap().as_str(), None),
        ("", too_short(0)),
        (&random[..31], too_short(31)),
        ("a-string-secret-at-least-256-bits-long", published.clone()),
        ("CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET", published.clone()),
        (&"changeme".repeat(4), published.clone()),
        // Also too short; reported as published.
        ("secret", published),
        (ED25519_PUBLIC, is_key.clone()),
        (RSA2048, is_key.clone()),
        (P256_CERTIFICATE, is_key.clone()),
        (&body, is_key),
    ] {
        let error = |which| match fault.clone()? {
            (bytes, None) => Some(ApplicationSecretError::TooShort { which, bytes }),
            (_, Some(fault)) => Some(ApplicationSecretError::NotSecret { which, fault }),
        };
        assert_eq!(ApplicationSecret::new(secret, &[]).err(), error(WhichSecret::Current), "{secret}");
        assert_eq!(ApplicationSecret::new(SECRET, &[secret]).err(), error(WhichSecret::Former(1)), "{secret}");
        let last = ApplicationSecret::new(SECRET, &[OTHER_SECRET, secret]);
        assert_eq!(last.err(), error(WhichSecret::Former(2)), "{secret}");
    }
}

#[test]
fn errors_name_the_secret_and_the_reason() {
    let error = |current, former: &[&str]| ApplicationSecret::new(current, former).unwrap_err().to_string();
    assert_eq!(error("too short", &[]), "the current application secret has 9 bytes; it needs at least 32");
    assert_eq!(
        error(SECRET, &[OTHER_SECRET, "changeme"]),
        "former application secret 2: the secret is a widely published example; generate one of your own"
    );
}

#[test]
fn debug_shows_no_secret() {
    let application_secret = ApplicationSecret::new(SECRET, &[OTHER_SECRET]).unwrap();
    assert_eq!(format!("{application_secret:?}"), "ApplicationSecret { former: 1, .. }");
}
