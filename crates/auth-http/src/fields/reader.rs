//! Reading fields as texts, with the messages of Django REST Framework's `CharField`.

use super::{Field, Fields};
use crate::error::FieldErrors;

/// How a text field is read.
#[derive(Clone, Copy, Debug)]
pub struct TextRules {
    /// Whether the empty text is a value.
    pub may_be_blank: bool,
    /// Whether blanks at its edges are cut off.
    pub trim: bool,
    /// Most characters; `None`: any number.
    pub max_chars: Option<usize>,
}

/// A text that has to say something, without the blanks at its edges.
pub const TEXT: TextRules = TextRules { may_be_blank: false, trim: true, max_chars: None };
/// A text that may be empty, without the blanks at its edges.
pub const BLANKABLE: TextRules = TextRules { may_be_blank: true, trim: true, max_chars: None };

/// Reads fields one by one and collects what is wrong with them.
pub struct FieldReader<'a> {
    fields: &'a Fields,
    errors: FieldErrors,
}

impl<'a> FieldReader<'a> {
    /// A reader of these fields.
    pub fn new(fields: &'a Fields) -> Self {
        Self { fields, errors: FieldErrors::default() }
    }

    /// A field that has to be there.
    pub fn required(&mut self, name: &'static str, rules: TextRules) -> Option<String> {
        if !self.has(name) {
            self.refuse(name, "This field is required.");
        }
        self.optional(name, rules)
    }

    /// A field that may be absent.
    pub fn optional(&mut self, name: &'static str, rules: TextRules) -> Option<String> {
        match text(self.fields.get(name)?, rules) {
            Ok(text) => Some(text),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// Whether the body has this field, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Adds a message for a field.
    pub(crate) fn refuse(&mut self, name: &'static str, message: impl Into<String>) {
        self.errors.add(name, vec![message.into()]);
    }

    /// Whether nothing was wrong so far.
    pub(crate) const fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// What was wrong so far.
    pub fn into_errors(self) -> FieldErrors {
        self.errors
    }
}

/// The text of a field, or what is wrong with it.
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
    fn texts_and_their_messages() {
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
