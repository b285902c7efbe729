//! From the `validator` crate's findings to field errors.

use std::borrow::Cow;

use validator::{Validate, ValidationError, ValidationErrorsKind};

use crate::error::FieldErrors;

/// Adds what the `validator` attributes of a body find. Of a field that is too long, only that is said.
pub(crate) fn add_violations(errors: &mut FieldErrors, body: &impl Validate) {
    let Err(found) = body.validate() else { return };
    for (field, kind) in found.errors() {
        let (Cow::Borrowed(field), ValidationErrorsKind::Field(violations)) = (field, kind) else { continue };
        let too_long = violations.iter().find(|violation| violation.code == "length");
        if let Some(violation) = too_long.or_else(|| violations.first()) {
            errors.add(field, vec![message(violation)]);
        }
    }
}

fn message(violation: &ValidationError) -> String {
    match (violation.code.as_ref(), violation.params.get("max")) {
        ("length", Some(max)) => format!("Ensure this field has no more than {max} characters."),
        ("email", _) => "Enter a valid email address.".to_owned(),
        _ => "Enter a valid value.".to_owned(),
    }
}
