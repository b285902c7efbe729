//! The password hasher through its port: the sample hashes of the wire contract, and variations of them.

use std::sync::Arc;
use std::time::Duration;

use auth_accounts::password::{CheckedPassword, PasswordHash, PasswordPolicy, RawPassword};
use auth_accounts::ports::{HashError, PasswordHasher as _, QueueShare, Verdict};
use auth_crypto::{Argon2Cost, BoundedHasher, HasherOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const PASSWORD: &str = "Correct-horse-42";

/// Wire contract section 10.
const SAMPLES: [&str; 8] = [
    "pbkdf2_sha256$1000000$V5MGY6Oe9Aa42PQLqxWhYc$ZH5CbSgsguloAq/Fy01Bvf+PP/ptXpzvTlDiLQYHx58=",
    "pbkdf2_sha1$1000000$B22kM99bU1P3atipV0jynI$2U4WXRD/kShQ75sP70ijieY+jGw=",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$OEJhR0J1UjZsQUExSjcyVERFY2dTYQ$I36eBUGjVlzqjwFtXQFl1GhCKTyHAC2V1Ec7b7Brk9g",
    "argon2$argon2id$v=19$m=19456,t=2,p=1$N2x3bXlueDlFb1lFWDljVDRYanhveA$0NyS5fbeJtSH4bOiKGDGCgqcODQZvYajBHk17whrr0A",
    "bcrypt_sha256$$2b$12$4Oyq7UtmYCnUklTATcg4y.T9fs9TRl0abDa/J1E4W3stKr9RE.4G.",
    "bcrypt$$2b$12$ogPqTh2rNdIDOuJfLVdoNeWBD2bn47GnUuar8AtL7fhZ9fujY.xvG",
    "scrypt$16384$PVvFIEVxgejVEjTbQZTf5K$8$5$EBliBk0IZK0rjd7mJTohYjWNbvy02i5TTtOn0/F37W7Oi3V4Q1HJd3QYVcM/isNl30/YwM6EFCRzNhnYHF27iA==",
    "md5$aN9NHsGF7L6Jrk1kxLwJGU$964796ecabd0bbbb25f32e80f9deb041",
];
/// The sample with the default cost.
const CURRENT_SAMPLE: &str = SAMPLES[3];
const UNUSABLE: &str = "!iRCGoHjauwVqAb0dIxY2f9SJAWts8UswgL6yOT0M";

/// 83 bytes.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxtail-beyond";

fn hasher() -> BoundedHasher {
    BoundedHasher::new(HasherOptions::default()).unwrap()
}

fn cheap() -> Argon2Cost {
    Argon2Cost::new(64, 2, 1).unwrap()
}

fn cheap_hasher(cost: Argon2Cost) -> BoundedHasher {
    BoundedHasher::new(HasherOptions { cost, ..HasherOptions::default() }).unwrap()
}

fn checked(password: &str) -> CheckedPassword {
    PasswordPolicy { min_chars: 0, ..PasswordPolicy::default() }.check(RawPassword::new(password), &[]).unwrap()
}

async fn verdict(hasher: &BoundedHasher, password: &str, hash: &str) -> Verdict {
    hasher.verify(&RawPassword::new(password), Some(&PasswordHash::new(hash))).await.unwrap()
}

#[tokio::test]
async fn verifies_the_samples_and_reports_other_costs_as_outdated() {
    let hasher = hasher();
    for sample in SAMPLES {
        let expected = if sample == CURRENT_SAMPLE { Verdict::Right } else { Verdict::RightButOutdated };
        assert_eq!(verdict(&hasher, PASSWORD, sample).await, expected, "{sample}");
    }
}

#[tokio::test]
async fn rejects_similar_passwords_in_every_format() {
    let hasher = Arc::new(hasher());
    let similar = ["correct-horse-42", "Correct-horse-42 ", "Correct-horse-42\0"];
    let attempts: Vec<_> = SAMPLES
        .into_iter()
        .flat_map(|sample| similar.map(|wrong| (sample, wrong)))
        .map(|(sample, wrong)| {
            let hasher = Arc::clone(&hasher);
            (sample, wrong, tokio::spawn(async move { verdict(&hasher, wrong, sample).await }))
        })
        .collect();
    for (sample, wrong, attempt) in attempts {
        assert_eq!(attempt.await.unwrap(), Verdict::Wrong, "{wrong:?} for {sample}");
    }
}

/// Computed with Python's `hashlib`; bcrypt with the `bcrypt` crate.
fn hashes_of_a_long_password() -> Vec<String> {
    vec![
        "pbkdf2_sha256$1000$salt$pP29JZf1L+BlPXKL09uLk/oLJfvLCNk337mmdCO6jqQ=".to_owned(),
        "pbkdf2_sha1$1000$salt$ycEPQNOkKFXa1/VVu08Ga/IiJSA=".to_owned(),
        "scrypt$1024$salt$8$1$7fIj8KDSWT5uIFtNLWjOqdmI3alC+WMclaBvaTv1GYAhhMxynTRTtm+nvPN01nVnq9rH/Or66Q38fhuPDdlrqw=="
            .to_owned(),
        "md5$salt$d81888fd3ca4d7e9e9b9afa2b7a09f09".to_owned(),
        format!("bcrypt_sha256${}", bcrypt::hash(sha256_hex(LONG), 4).unwrap()),
    ]
}

#[tokio::test]
async fn only_bcrypt_ignores_bytes_after_the_72nd() {
    let hasher = cheap_hasher(cheap());
    let mut hashes = hashes_of_a_long_password();
    hashes.push(hasher.hash(&checked(LONG), QueueShare::Whole).await.unwrap().expose().to_owned());
    for hash in &hashes {
        assert_ne!(verdict(&hasher, LONG, hash).await, Verdict::Wrong, "{hash}");
        assert_eq!(verdict(&hasher, &LONG[..72], hash).await, Verdict::Wrong, "{hash}");
        assert_eq!(verdict(&hasher, &LONG.replace("beyond", "BEYOND"), hash).await, Verdict::Wrong, "{hash}");
    }
    let plain = format!("bcrypt${}", bcrypt::hash(LONG, 4).unwrap());
    for (password, is_right) in [(LONG, true), (&LONG[..72], true), (&LONG[..71], false), (&LONG[1..], false)] {
        assert_eq!(verdict(&hasher, password, &plain).await != Verdict::Wrong, is_right, "{password}");
    }
}

#[tokio::test]
async fn passwords_may_be_empty_or_have_nul_and_non_ascii_characters() {
    let hasher = cheap_hasher(cheap());
    // The hashes were computed with Python's `hashlib`.
    let awkward = "p\u{e4}ss\0w\u{1F600}rd";
    for (password, hash) in [
        ("", "pbkdf2_sha256$1000$salt$lPtWrz6iLl0+0bBUCFsTbKMBt12LQGyALEiUefJzh8Y="),
        (
            "",
            "scrypt$1024$salt$8$1$g1axRrQq9XTkYDALRBNrKEx5bX5z2BseUGmyZfnaFDmzV3oGBIKfEiPmiCAHV5mkeze7hvDKiK3tdsTpen6fHA==",
        ),
        ("", "md5$salt$ceb20772e0c9d240c75eb26b0e37abee"),
        (awkward, "pbkdf2_sha256$1000$salt$CsMB3Dz+xRirkRl0sxwMZuJnqwWXMnTbj79XjRDW5/8="),
        (
            awkward,
            "scrypt$1024$salt$8$1$V5QjSq3BePdHelSl5hLVvrdvlfcBWkhhYSKh9e0cNnrmAblWcFcqQay+HXemaUzx4WiC0YL+sga7tAcvwpZUog==",
        ),
        (awkward, "md5$salt$d4cc0c0ffcb7f7185d3f543d0cda4ed1"),
    ] {
        assert_eq!(verdict(&hasher, password, hash).await, Verdict::RightButOutdated, "{password:?} {hash}");
    }
    for password in [awkward, "a\0a", "a\0", "\0"] {
        let hash = hasher.hash(&checked(password), QueueShare::Whole).await.unwrap();
        assert_eq!(verdict(&hasher, password, hash.expose()).await, Verdict::Right, "{password:?}");
        let digested = format!("bcrypt_sha256${}", bcrypt::hash(sha256_hex(password), 4).unwrap());
        assert_eq!(verdict(&hasher, password, &digested).await, Verdict::RightButOutdated, "{password:?}");
    }
    // A composed and a decomposed character are different passwords.
    let hash = hasher.hash(&checked("p\u{e4}sswort"), QueueShare::Whole).await.unwrap();
    assert_eq!(verdict(&hasher, "pa\u{308}sswort", hash.expose()).await, Verdict::Wrong);
    // bcrypt has the same hash for both.
    let plain = format!("bcrypt${}", bcrypt::hash("a", 4).unwrap());
    assert_eq!(verdict(&hasher, "a", &plain).await, Verdict::RightButOutdated);
    assert_eq!(verdict(&hasher, "a\0a", &plain).await, Verdict::Wrong);
}

fn sha256_hex(password: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, password.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_new_hash_has_the_format_of_django_and_a_new_salt() {
    let hasher = hasher();
    let (one, other) = (
        hasher.hash(&checked(PASSWORD), QueueShare::Whole).await.unwrap(),
        hasher.hash(&checked(PASSWORD), QueueShare::Whole).await.unwrap(),
    );
    assert_ne!(one, other);
    let hash = one.expose();
    let [prefix @ .., salt, tag] = &*hash.split('$').collect::<Vec<_>>() else { panic!("{hash}") };
    assert_eq!(prefix, ["argon2", "argon2id", "v=19", "m=19456,t=2,p=1"]);
    // 16 and 32 bytes in base64 without padding. The column of Django has 128 characters.
    assert_eq!((salt.len(), tag.len()), (22, 43));
    assert!(hash.len() <= 128);
    assert_ne!(Some(*salt), other.expose().split('$').nth(4));
    assert_eq!(verdict(&hasher, PASSWORD, hash).await, Verdict::Right);
    assert_eq!(verdict(&hasher, "Correct-horse-43", hash).await, Verdict::Wrong);
}

#[tokio::test]
async fn a_higher_or_lower_cost_is_outdated() {
    let stored = cheap_hasher(cheap()).hash(&checked(PASSWORD), QueueShare::Whole).await.unwrap();
    for (memory, passes, lanes, expected) in [
        (64, 2, 1, Verdict::Right),
        (65, 2, 1, Verdict::RightButOutdated),
        (32, 2, 1, Verdict::RightButOutdated),
        (64, 3, 1, Verdict::RightButOutdated),
        (64, 1, 1, Verdict::RightButOutdated),
        (64, 2, 2, Verdict::RightButOutdated),
    ] {
        let hasher = cheap_hasher(Argon2Cost::new(memory, passes, lanes).unwrap());
        assert_eq!(verdict(&hasher, PASSWORD, stored.expose()).await, expected, "m={memory} t={passes} p={lanes}");
    }
}

/// Test vectors of the Argon2 reference implementation.
#[tokio::test]
async fn other_variants_and_versions_of_argon2_are_outdated() {
    let hasher = cheap_hasher(Argon2Cost::new(65_536, 2, 1).unwrap());
    for hash in [
        "argon2$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        "argon2$argon2i$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "argon2$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "argon2$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        assert_eq!(verdict(&hasher, "password", hash).await, Verdict::RightButOutdated, "{hash}");
        assert_eq!(verdict(&hasher, "passwore", hash).await, Verdict::Wrong, "{hash}");
    }
}

#[tokio::test]
async fn other_variants_versions_and_lengths_are_outdated_at_the_current_cost() {
    use argon2::Algorithm::{Argon2i, Argon2id};
    use argon2::Version::{V0x10, V0x13};
    let hasher = cheap_hasher(cheap());
    for (variant, version, salt_len, tag_len, expected) in [
        (Argon2id, V0x13, 16, 32, Verdict::Right),
        (Argon2id, V0x13, 22, 32, Verdict::Right),
        (Argon2i, V0x13, 16, 32, Verdict::RightButOutdated),
        (Argon2id, V0x10, 16, 32, Verdict::RightButOutdated),
        (Argon2id, V0x13, 15, 32, Verdict::RightButOutdated),
        (Argon2id, V0x13, 16, 16, Verdict::RightButOutdated),
        (Argon2id, V0x13, 16, 64, Verdict::RightButOutdated),
    ] {
        let (salt, mut tag) = (vec![7; salt_len], vec![0; tag_len]);
        let params = argon2::Params::new(64, 2, 1, Some(tag_len)).unwrap();
        let argon2 = argon2::Argon2::new(variant, version, params);
        argon2.hash_password_into(PASSWORD.as_bytes(), &salt, &mut tag).unwrap();
        let (salt, tag) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag));
        let hash = format!("argon2${variant}$v={}$m=64,t=2,p=1${salt}${tag}", u32::from(version));
        assert_eq!(verdict(&hasher, PASSWORD, &hash).await, expected, "{hash}");
        assert_eq!(verdict(&hasher, "Correct-horse-43", &hash).await, Verdict::Wrong, "{hash}");
    }
}

#[tokio::test]
async fn no_password_matches_a_missing_or_malformed_hash() {
    let hasher = cheap_hasher(cheap());
    assert_eq!(hasher.verify(&RawPassword::new(PASSWORD), None).await.unwrap(), Verdict::Wrong);
    for hash in [UNUSABLE, "", "!", "$", "plain", PASSWORD, "crypt$$Correct-horse-42", "md5$$", "unsalted_md5$x"] {
        for password in [PASSWORD, "", hash] {
            assert_eq!(verdict(&hasher, password, hash).await, Verdict::Wrong, "{password:?} for {hash:?}");
        }
    }
}

#[tokio::test]
async fn a_password_that_is_too_long_never_matches() {
    let hasher = cheap_hasher(cheap());
    let (longest, too_long) = ("x".repeat(1_024), "x".repeat(1_025));
    let hash = hasher.hash(&checked(&longest), QueueShare::Whole).await.unwrap();
    assert_eq!(verdict(&hasher, &longest, hash.expose()).await, Verdict::Right);
    let plain = format!("bcrypt${}", bcrypt::hash(&too_long, 4).unwrap());
    assert_eq!(verdict(&hasher, &longest, &plain).await, Verdict::RightButOutdated);
    assert_eq!(verdict(&hasher, &too_long, &plain).await, Verdict::Wrong);
}

#[test]
fn costs_have_bounds_and_low_ones_are_weak() {
    for (memory, passes, lanes, accepted) in [
        (8, 1, 1, true),
        (7, 1, 1, false),
        (16, 1, 2, true),
        (15, 1, 2, false),
        (262_144, 16, 16, true),
        (262_145, 16, 16, false),
        (262_144, 17, 16, false),
        (262_144, 16, 17, false),
        (19_456, 0, 1, false),
        (19_456, 2, 0, false),
        (u32::MAX, u32::MAX, u32::MAX, false),
    ] {
        assert_eq!(Argon2Cost::new(memory, passes, lanes).is_ok(), accepted, "m={memory} t={passes} p={lanes}");
    }
    let is_weak = |memory, passes| Argon2Cost::new(memory, passes, 1).unwrap().is_weak();
    assert!(!is_weak(19_456, 2) && is_weak(19_455, 2) && is_weak(19_456, 1));
    assert_eq!(HasherOptions::default().cost, Argon2Cost::new(19_456, 2, 1).unwrap());
    assert_eq!(HasherOptions::default().queue, 128);
}

#[tokio::test]
async fn concurrent_verifications_all_complete_or_are_rejected() {
    let hasher = Arc::new(cheap_hasher(cheap()));
    let attempts: Vec<_> = (0..300)
        .map(|i| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move {
                let password = RawPassword::new(format!("{PASSWORD}-{i}"));
                hasher.verify(&password, None).await
            })
        })
        .collect();
    for attempt in attempts {
        let result = tokio::time::timeout(Duration::from_secs(60), attempt).await.unwrap().unwrap();
        assert!(matches!(result, Ok(Verdict::Wrong) | Err(HashError::Overloaded { .. })));
    }
}
