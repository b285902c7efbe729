//! Extractors for request bodies, and the types with which handlers read fields.

mod extract;

pub(crate) use extract::OwnRoute;
pub use extract::{Body, UnreadBody};

pub use crate::error::FieldErrors;
pub(crate) use crate::fields::text;
pub use crate::fields::{BLANKABLE, Field, FieldReader, Fields, TEXT, TextRules};
pub use crate::settings::{BodyBudget, OWN_BODY_LIMIT};
