//! The fields of a request body, parsed from JSON, URL-encoded or multipart bodies as in Django REST Framework
//! (docs/wire-contract.md, section 5).

mod field;
pub(crate) mod form;
pub(crate) mod json;
mod reader;

use std::collections::HashMap;

pub use field::Field;
pub(crate) use reader::text;
pub use reader::{BLANKABLE, FieldReader, TEXT, TextRules};

/// The fields of a body by name. Of duplicate names, the last one counts.
pub type Fields = HashMap<String, Field>;
