//! Errors in the fields of a request body.

use serde::{Serialize, Serializer};

/// Error messages by field, in the order in which they are serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, Vec<String>)>);

impl FieldErrors {
    /// Creates one error for one field.
    pub fn of(field: &'static str, message: impl Into<String>) -> Self {
        Self(vec![(field, vec![message.into()])])
    }

    /// Adds messages for a field. An empty list adds nothing.
    pub fn add(&mut self, field: &'static str, messages: Vec<String>) {
        if messages.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, known)) => known.extend(messages),
            None => self.0.push((field, messages)),
        }
    }

    /// Whether there are no errors.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is an error for this field.
    pub(crate) fn contains(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == field)
    }

    /// Sorts the fields by their position in `names`.
    pub fn sort_by(&mut self, names: &[&str]) {
        self.0.sort_by_key(|(field, _)| names.iter().position(|name| name == field));
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, messages)| (field, messages)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_the_given_names() {
        let mut errors = FieldErrors::default();
        errors.add("b", vec!["1".into()]);
        errors.add("a", vec!["2".into()]);
        errors.add("b", vec!["3".into()]);
        errors.add("c", vec![]);
        errors.sort_by(&["a", "b", "c"]);
        assert_eq!(serde_json::to_string(&errors).unwrap(), r#"{"a":["2"],"b":["1","3"]}"#);
    }
}
