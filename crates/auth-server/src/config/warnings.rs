//! Warnings about settings that are valid but rarely intended.

use super::{Checked, Transport};

/// Longest replay window without a warning in production, in seconds. Until it ends, a stolen refresh token that was just used
/// counts as a retry.
const LONGEST_REPLAY_WINDOW: u64 = 60;
/// Shortest minimum length of passwords without a warning in production, in characters (ASVS V6.2.1).
const LEAST_MIN_CHARS: usize = 8;

impl Checked {
    /// One line for each such setting, beginning with its key. `serve` logs them, and `check-config` prints them.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.throttle_warnings();
        warnings.extend(self.transport_warning().map(str::to_owned));
        if self.profile == "production" {
            warnings.extend(self.production_warnings());
        }
        warnings
    }

    fn throttle_warnings(&self) -> Vec<String> {
        let public = self.http.trusted_proxies.public_networks().map(|network| {
            format!(
                "server.trusted_proxies: {network} contains public addresses; anyone who has one of them chooses the client IP that \
                 is limited and logged"
            )
        });
        let mut warnings: Vec<_> = public.collect();
        if self.accounts.throttle.is_none() {
            warnings.push("throttle.enabled: is false; passwords and codes can be guessed without limit".to_owned());
        }
        warnings
    }

    fn transport_warning(&self) -> Option<&'static str> {
        match self.transport {
            Some(Transport::Folder) if self.profile == "production" => {
                Some("mail.transport: is \"folder\"; emails are written to files and are not delivered")
            }
            Some(Transport::None) => Some("mail.transport: is \"none\"; no user can reset a forgotten password"),
            _ => None,
        }
    }

    fn production_warnings(&self) -> impl Iterator<Item = String> {
        let Self { settings, .. } = self;
        let (min_chars, window) = (settings.passwords.min_chars, settings.tokens.retry_window_seconds);
        let short = (min_chars < LEAST_MIN_CHARS)
            .then(|| format!("passwords.min_chars: is {min_chars}; passwords of fewer than {LEAST_MIN_CHARS} characters are guessed quickly"));
        let long = (window > LONGEST_REPLAY_WINDOW).then(|| {
            format!(
                "tokens.retry_window_seconds: is {window}; within it, reuse of a stolen refresh token is not detected; use at \
                 most {LONGEST_REPLAY_WINDOW}"
            )
        });
        let plain = settings.mail.base_url.to_ascii_lowercase().starts_with("http://").then(|| {
            "mail.base_url: begins with http://; links in emails carry secrets over unencrypted connections; use https://".to_owned()
        });
        [short, long, plain].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load};

    fn warnings(profile: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        load(&Sources { profile: profile.to_owned(), environment, ..Sources::default() }).unwrap().warnings()
    }

    #[test]
    fn warns_about_settings_that_are_rarely_intended() {
        let (key, secret) = ("an-hs256-key-only-for-this-test-7f3a", "an application secret for this test 91c");
        let production = [
            ("AUTH__TOKENS__SIGNING_KEY", key),
            ("AUTH__TOKENS__ALGORITHM", "HS256"),
            ("AUTH__SECRETS__KEY", secret),
            ("AUTH__MAIL__TRANSPORT", "smtp"),
            ("AUTH__MAIL__SMTP_HOST", "smtp.example.com"),
            ("AUTH__MAIL__FROM", "no-reply@example.com"),
            ("AUTH__MAIL__BASE_URL", "https://app.example.com"),
        ];
        assert_eq!(warnings("development", &[]), [""; 0]);
        assert_eq!(warnings("production", &production), [""; 0]);
        for (profile, name, value, key) in [
            (
                "development",
                "AUTH__SERVER__TRUSTED_PROXIES",
                "203.0.113.0/24",
                "server.trusted_proxies: 203.0.113.0/24 ",
            ),
            ("development", "AUTH__THROTTLE__ENABLED", "false", "throttle.enabled: "),
            ("simplejwt", "AUTH__MAIL__TRANSPORT", "none", "mail.transport: "),
            ("production", "AUTH__PASSWORDS__MIN_CHARS", "7", "passwords.min_chars: "),
            ("production", "AUTH__TOKENS__RETRY_WINDOW_SECONDS", "61", "tokens.retry_window_seconds: "),
            ("production", "AUTH__MAIL__BASE_URL", "http://app.example.com", "mail.base_url: "),
            ("production", "AUTH__MAIL__TRANSPORT", "folder", "mail.transport: "),
        ] {
            let base = if profile == "production" { &production[..] } else { &[] };
            let kept = base.iter().copied().filter(|(before, _)| *before != name);
            let found = warnings(profile, &kept.chain([(name, value)]).collect::<Vec<_>>());
            assert!(found.len() == 1 && found[0].starts_with(key), "{name}={value}: {found:?}");
        }
    }
}
