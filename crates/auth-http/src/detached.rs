//! Use-cases that go on to their end when the client hangs up.

use actix_web::rt;
use tracing::Instrument;

use crate::error::ApiError;

/// Runs a use-case that changes something to its end, whether or not anybody waits for its answer: otherwise a client
/// that hangs up at the right moment would have the change made and not recorded (SEC-150).
///
/// ```no_run
/// # use actix_web::{HttpResponse, web};
/// # use auth_http::{ApiError, to_its_end};
/// # struct Orders;
/// # impl Orders { async fn place(&self) -> Result<(), auth_core::StoreError> { Ok(()) } }
/// async fn order(orders: web::Data<Orders>) -> Result<HttpResponse, ApiError> {
///     to_its_end(async move { orders.place().await }).await??;
///     Ok(HttpResponse::Created().finish())
/// }
/// ```
///
/// # Errors
/// 500 if the use-case panicked.
pub async fn to_its_end<T: 'static>(use_case: impl Future<Output = T> + 'static) -> Result<T, ApiError> {
    rt::spawn(use_case.in_current_span()).await.map_err(|_| {
        tracing::error!("a use-case panicked");
        ApiError::internal()
    })
}
