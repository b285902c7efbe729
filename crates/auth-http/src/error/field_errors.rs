//! What is wrong with the fields of a body.

use serde::{Serialize, Serializer};

/// What is wrong with which field, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, Vec<String>)>);

impl FieldErrors {
    /// One thing wrong with one field.
    pub fn of(field: &'static str, message: impl Into<String>) -> Self {
        Self(vec![(field, vec![message.into()])])
    }

    /// Adds messages for a field; none is no error.
    pub fn add(&mut self, field: &'static str, messages: Vec<String>) {
        if messages.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(name, _)| *name == field) {
            Some((_, known)) => known.extend(messages),
            None => self.0.push((field, messages)),
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something is wrong with this field.
    pub(crate) fn contains(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == field)
    }

    /// Puts the fields into the order of `names`, which is the order of the endpoint's fields.
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
    fn errors_keep_the_order_of_the_endpoint() {
        let mut errors = FieldErrors::default();
        errors.add("b", vec!["1".into()]);
        errors.add("a", vec!["2".into()]);
        errors.add("b", vec!["3".into()]);
        errors.add("c", vec![]);
        errors.sort_by(&["a", "b", "c"]);
        assert_eq!(serde_json::to_string(&errors).unwrap(), r#"{"a":["2"],"b":["1","3"]}"#);
    }
}
