//! The printed configuration.

use super::dictionary::Dictionary;
use super::settings::{Outcome, Setting};

const HEAD: &str = "\
# Translated from a SIMPLE_JWT dictionary, for use with the profile simplejwt:
#
#     auth-server --profile simplejwt --config THIS_FILE
#
# The comment above each key names the setting; (default): the dictionary does not set it, so the value is SimpleJWT's default.
";

/// Writes TOML, in the order of the settings.
pub(super) struct Writer {
    toml: String,
    section: &'static str,
}

impl Default for Writer {
    fn default() -> Self {
        Self { toml: HEAD.to_owned(), section: "" }
    }
}

impl Writer {
    /// Writes the outcome of a setting. If it has no key, only its note is written, and only if the dictionary sets it.
    pub(super) fn add(&mut self, setting: &'static Setting, dictionary: &Dictionary, outcome: Outcome) {
        let is_set = dictionary.get(setting.name).is_some();
        let Some((value, key)) = outcome.value.zip(setting.key()) else {
            if is_set && !outcome.note.is_empty() {
                self.comment(&format!("{}: {}", setting.name, outcome.note));
            }
            return;
        };
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        if section != self.section {
            self.toml.push_str(&format!("\n[{section}]\n"));
            self.section = section;
        }
        let origin = if is_set { "" } else { " (default)" };
        let colon = if outcome.note.is_empty() { "" } else { ": " };
        self.comment(&format!("{}{origin}{colon}{}", setting.name, outcome.note));
        let start = if outcome.is_commented_out { "# " } else { "" };
        self.toml.push_str(&format!("{start}{key} = {value}\n"));
    }

    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            self.toml.push_str(&format!("# {line}\n"));
        }
    }

    pub(super) fn into_toml(self) -> String {
        self.toml
    }
}
