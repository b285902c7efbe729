//! Reading fields as strings, with the messages of Django REST Framework's `CharField`.

use super::{Field, Fields};
use crate::error::FieldErrors;

/// How a string field is validated.
#[derive(Clone, Copy, Debug)]
pub struct TextRules {
    /// Whether a blank string is accepted.
    pub may_be_blank: bool,
    /// Whether leading and trailing whitespace is removed.
    pub trim: bool,
    /// Most characters; `None`: unlimited.
    pub max_chars: Option<usize>,
}

/// A string that must not be blank, trimmed.
pub const TEXT: TextRules = TextRules { may_be_blank: false, trim: true, max_chars: None };
/// A string that may be blank, trimmed.
pub const BLANKABLE: TextRules = TextRules { may_be_blank: true, trim: true, max_chars: None };

/// Reads fields one by one and collects their errors.
pub struct FieldReader<'a> {
    fields: &'a Fields,
    errors: FieldErrors,
}

impl<'a> FieldReader<'a> {
    /// Creates a reader without errors.
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, errors: FieldErrors::default() }
    }

    /// Reads a required field. Returns `None` and records an error if it is missing or invalid.
    pub fn required(&mut self, name: &'static str, rules: TextRules) -> Option<String> {
        if !self.has(name) {
            self.refuse(name, "This field is required.");
        }
        self.optional(name, rules)
    }

    /// Reads an optional field. Returns `None` if it is missing, and records an error if it is invalid.
    pub fn optional(&mut self, name: &'static str, rules: TextRules) -> Option<String> {
        match text(self.fields.get(name)?, rules) {
            Ok(text) => Some(text),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// Whether the body has this field, with any value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Records an error for a field.
    pub(crate) fn refuse(&mut self, name: &'static str, message: impl Into<String>) {
        self.errors.add(name, vec![message.into()]);
    }

    /// Whether no error has been recorded.
    pub(crate) const fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Returns the recorded errors.
    pub fn into_errors(self) -> FieldErrors {
        self.errors
    }
}

/// Returns the string value of a field, or the error message.
pub(crate) fn text(field: &Field, rules: TextRules) -> Result<String, String> {
    let text = match field {
        Field::Text(text) | Field::Number(text) => text,
        Field::Null => return Err("This field may not be null.".to_owned()),
        Field::Bool(_) | Field::Composite => return Err("Not a valid string.".to_owned()),
        Field::LoneSurrogate(unit) => return Err(format!("Surrogate characters are not allowed: U+{unit:04X}.")),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() && !rules.may_be_blank {
        return Err("This field may not be blank.".to_owned());
    }
    if text.contains('\0') {
        return Err("Null characters are not allowed.".to_owned());
    }
    let text = if rules.trim { trimmed } else { text };
    match rules.max_chars {
        Some(most) if text.chars().count() > most => {
            Err(format!("Ensure this field has no more than {most} characters."))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_validated_with_the_messages_of_charfield() {
        let exact = TextRules { may_be_blank: false, trim: false, max_chars: None };
        let short = TextRules { max_chars: Some(3), ..TEXT };
        for (field, rules, expected) in [
            (Field::Text(" a b ".into()), TEXT, Ok("a b")),
            (Field::Text(" a b ".into()), exact, Ok(" a b ")),
            (Field::Text("\u{3000}\t".into()), TEXT, Err("This field may not be blank.")),
            (Field::Text("   ".into()), exact, Err("This field may not be blank.")),
            (Field::Text(" ".into()), BLANKABLE, Ok("")),
            (Field::Text(" abc ".into()), short, Ok("abc")),
            (Field::Text("\u{E9}\u{E9}\u{E9}".into()), short, Ok("\u{E9}\u{E9}\u{E9}")),
            (Field::Text("abcd".into()), short, Err("Ensure this field has no more than 3 characters.")),
            (Field::Number("5".into()), TEXT, Ok("5")),
            (Field::Null, BLANKABLE, Err("This field may not be null.")),
            (Field::Bool(true), TEXT, Err("Not a valid string.")),
            (Field::Composite, TEXT, Err("Not a valid string.")),
            (Field::Text("a\0b".into()), TEXT, Err("Null characters are not allowed.")),
            (Field::LoneSurrogate(0xD800), TEXT, Err("Surrogate characters are not allowed: U+D800.")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(text(&field, rules), expected, "{field:?}");
        }
    }
}
