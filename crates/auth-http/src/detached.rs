//! Operations that run to completion even if the client disconnects.

use actix_web::rt;
use tracing::Instrument;

use crate::error::ApiError;

/// Runs an operation in its own task, so that it completes even if the client disconnects. Otherwise, a client that
/// disconnects at the right moment could make a change without a record in the audit log (SEC-150).
///
/// ```no_run
/// # use actix_web::{HttpResponse, web};
/// # use auth_http::{ApiError, run_to_completion};
/// # struct Orders;
/// # impl Orders { async fn place(&self) -> Result<(), auth_core::StoreError> { Ok(()) } }
/// async fn order(orders: web::Data<Orders>) -> Result<HttpResponse, ApiError> {
///     run_to_completion(async move { orders.place().await }).await??;
///     Ok(HttpResponse::Created().finish())
/// }
/// ```
///
/// # Errors
/// 500 if the operation panicked.
pub async fn run_to_completion<T: 'static>(operation: impl Future<Output = T> + 'static) -> Result<T, ApiError> {
    rt::spawn(operation.in_current_span()).await.map_err(|_| {
        tracing::error!("an operation started by a handler panicked");
        ApiError::internal()
    })
}
