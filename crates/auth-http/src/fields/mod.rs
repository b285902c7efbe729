//! The fields of a request body: read from JSON, forms and multipart as Django REST Framework reads them (wire contract
//! section 5), and asked for by name.

mod field;
pub(crate) mod form;
pub(crate) mod json;
mod reader;

use std::collections::HashMap;

pub use field::Field;
pub(crate) use reader::text;
pub use reader::{BLANKABLE, FieldReader, TEXT, TextRules};

/// The fields of a body by name; of a name that comes twice, the last one.
pub type Fields = HashMap<String, Field>;
