//! Request bodies: JSON, form and multipart, read as Django REST Framework reads them (wire contract section 5).

mod budget;
mod extract;
mod field;
mod form;
mod json;
mod reader;
mod validation;

use std::collections::HashMap;

pub use budget::BodyBudget;
pub(crate) use extract::OwnRoute;
pub use extract::{Body, UnreadBody};
pub use field::Field;
pub(crate) use reader::text;
pub use reader::{BLANKABLE, FieldReader, TEXT, TextRules};
pub(crate) use validation::add_violations;

pub use crate::error::FieldErrors;

/// Longest body of the service's own routes, in bytes: no token, name or password needs more.
pub const OWN_BODY_LIMIT: usize = 65_536;

/// The fields of a body by name; of a name that comes twice, the last one.
pub type Fields = HashMap<String, Field>;
