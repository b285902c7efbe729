//! The configuration as it is printed.

use super::dictionary::Dictionary;
use super::settings::{Outcome, Setting};

const HEAD: &str = "\
# Translated from a SIMPLE_JWT dictionary, to be used in the profile for clients of SimpleJWT:
#
#     auth-server --profile simplejwt --config THIS_FILE
#
# Above each key stands the setting that it is for; (default): the dictionary does not name it, and the value is SimpleJWT's.
";

/// Lines of TOML, in the order of the settings.
pub(super) struct Page {
    text: String,
    section: &'static str,
}

impl Default for Page {
    fn default() -> Self {
        Self { text: HEAD.to_owned(), section: "" }
    }
}

impl Page {
    /// Adds what became of a setting. Of one that becomes no key, something is said only where somebody has set it.
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
            self.text.push_str(&format!("\n[{section}]\n"));
            self.section = section;
        }
        let origin = if is_set { "" } else { " (default)" };
        let colon = if outcome.note.is_empty() { "" } else { ": " };
        self.comment(&format!("{}{origin}{colon}{}", setting.name, outcome.note));
        let start = if outcome.is_proposal { "# " } else { "" };
        self.text.push_str(&format!("{start}{key} = {value}\n"));
    }

    fn comment(&mut self, text: &str) {
        for line in text.lines() {
            self.text.push_str(&format!("# {line}\n"));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
