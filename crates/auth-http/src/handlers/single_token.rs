//! Bodies that hold one token.

use auth_core::AuthError;
use auth_core::token::RawToken;

use crate::body::{Body, FieldReader, TEXT};
use crate::error::ApiError;

/// The token in the one field of a body. The outer error is about the body, the inner one about the token.
pub(super) fn read(body: Body, field: &'static str) -> Result<Result<RawToken, AuthError>, ApiError> {
    let fields = body.into_fields()?;
    let mut reader = FieldReader::new(&fields);
    match reader.required(field, TEXT) {
        Some(text) => Ok(RawToken::parse(&text).map_err(AuthError::Token)),
        None => Err(ApiError::fields(reader.into_errors())),
    }
}
