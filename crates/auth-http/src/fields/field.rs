//! The value of a field, before it is converted to a type.

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A string.
    Text(String),
    /// A string with an unpaired surrogate; holds the first one.
    LoneSurrogate(u16),
    /// A number, formatted as Python's `str` does.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An array, an object or an uploaded file.
    Composite,
}

impl Field {
    /// Whether the value means "yes". Unlike in Python, `"0"` and `"false"` mean "no" (docs/wire-contract.md, section 12), and
    /// so do arrays and objects.
    pub fn is_yes(&self) -> bool {
        match self {
            Self::Text(text) => !matches!(
                text.trim().to_ascii_lowercase().as_str(),
                "" | "0" | "false" | "no" | "off" | "null" | "none"
            ),
            Self::Number(text) => text.parse::<f64>().is_ok_and(|number| number != 0.0),
            Self::Bool(value) => *value,
            Self::LoneSurrogate(_) | Self::Null | Self::Composite => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_yes_follows_the_wire_contract() {
        let text = |text: &str| Field::Text(text.to_owned());
        let number = |text: &str| Field::Number(text.to_owned());
        for (field, expected) in [
            (text("1"), true),
            (text("true"), true),
            (text("on"), true),
            (text("0"), false),
            (text("False"), false),
            (text(" no "), false),
            (text(""), false),
            (number("1"), true),
            (number("0"), false),
            (number("0.0"), false),
            (Field::Bool(true), true),
            (Field::Bool(false), false),
            (Field::Null, false),
            (Field::Composite, false),
            (Field::LoneSurrogate(0xD800), false),
        ] {
            assert_eq!(field.is_yes(), expected, "{field:?}");
        }
    }
}
