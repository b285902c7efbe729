//! Request bodies: JSON, form and multipart, read as Django REST Framework reads them (wire contract section 5).

mod extract;
mod field;
mod form;
mod json;
mod reader;
mod validation;

use std::collections::HashMap;

pub use extract::Body;
pub(crate) use field::Field;
pub use reader::FieldErrors;
pub(crate) use reader::{BLANKABLE, FieldReader, TEXT, TextRules, text};
pub(crate) use validation::add_violations;

/// The fields of a body by name; of a name that comes twice, the last one.
pub(crate) type Fields = HashMap<String, Field>;
