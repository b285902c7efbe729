//! `/api/schema/`.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes};
use utoipa::openapi::OpenApi;

use crate::error::ApiError;

/// The OpenAPI document of the served routes, as JSON. It is built on the first request and shared by all workers: building
/// takes milliseconds, and any client may request it.
pub(crate) struct SchemaDocument(LazyLock<Option<Bytes>, BuildDocument>);

/// Builds the document; returns `None` if it cannot be serialized.
type BuildDocument = Box<dyn FnOnce() -> Option<Bytes> + Send>;

impl SchemaDocument {
    pub(crate) fn new(build: impl FnOnce() -> OpenApi + Send + 'static) -> Self {
        let build = || serde_json::to_vec(&build()).inspect_err(log).ok().map(Bytes::from);
        Self(LazyLock::new(Box::new(build)))
    }

    fn json(&self) -> Result<Bytes, ApiError> {
        self.0.clone().ok_or_else(ApiError::internal)
    }
}

fn log(error: &serde_json::Error) {
    tracing::error!(%error, "the OpenAPI document cannot be serialized");
}

/// The OpenAPI 3.1 document of this service, with the paths that are served here.
#[utoipa::path(get, path = "/api/schema/", tag = "operations", operation_id = "schema",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value)))]
pub(crate) async fn schema(document: web::Data<SchemaDocument>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().content_type("application/json").body(document.json()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_document_is_built_once() {
        let built = Arc::new(AtomicUsize::new(0));
        let counter = built.clone();
        let document = SchemaDocument::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            OpenApi::default()
        });
        assert_eq!(built.load(Ordering::Relaxed), 0);
        assert_eq!(document.json().unwrap(), document.json().unwrap());
        assert_eq!(built.load(Ordering::Relaxed), 1);
    }
}
