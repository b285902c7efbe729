//! The extractors of request bodies, and what a handler reads of a body.

mod extract;

pub(crate) use extract::OwnRoute;
pub use extract::{Body, UnreadBody};

pub use crate::error::FieldErrors;
pub(crate) use crate::fields::text;
pub use crate::fields::{BLANKABLE, Field, FieldReader, Fields, TEXT, TextRules};
pub use crate::settings::{BodyBudget, OWN_BODY_LIMIT};
