//! One request and its response, as the connection sees them: whether a handler waits for the body, and whether the body
//! was read to its end.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};

use super::LINGER_BYTES;
use super::state::State;

/// A request and its response. Dropped when the response is complete.
///
/// It holds the body of the request until then. If a chunked body is dropped before its end, actix-http waits for the rest
/// without a time limit; if it is held but not read, actix-http lingers and closes the connection.
pub(crate) struct Exchange {
    /// `None` if the application is not served by [`serve`](fn@super::serve).
    state: Option<Arc<State>>,
    body: Option<RequestBody>,
}

impl Exchange {
    /// Starts an exchange, and wraps the body of `request` to observe how it is read.
    pub(crate) fn begin(request: &mut ServiceRequest) -> Self {
        let state = request.request().conn_data::<Arc<State>>().cloned();
        let body = match request.take_payload() {
            Payload::None => None,
            payload => {
                let body = RequestBody {
                    payload: Rc::new(RefCell::new(payload)),
                    has_ended: Rc::new(Cell::new(false)),
                    state: state.clone(),
                };
                request.set_payload(Payload::Stream { payload: Box::pin(body.clone()) });
                Some(body)
            }
        };
        if let Some(state) = &state {
            state.request_began(body.is_some());
        }
        Self { state, body }
    }

    /// Attaches the exchange to `response`, so that it ends when the response has been written. If the body was not read to its
    /// end, or the server is over its soft limit of connections, the response announces that the connection closes
    /// (RFC 9112 §9.6).
    pub(crate) async fn finish(self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let mut closes = self.state.as_ref().is_some_and(|state| state.is_over_soft_limit());
        if let Some(body) = self.body.as_ref().filter(|body| body.is_abandoned()) {
            body.discard().await;
            closes |= !body.has_ended.get();
        }
        let head = response.response_mut().head_mut();
        if closes && !head.upgrade() {
            head.set_connection_type(ConnectionType::Close);
        }
        response.map_body(|_, body| BoxBody::new(ResponseBody { body, _exchange: self }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.response_ended(self.body.as_ref().is_none_or(|body| body.has_ended.get()));
        }
    }
}

/// The body of a request.
#[derive(Clone)]
struct RequestBody {
    payload: Rc<RefCell<Payload>>,
    has_ended: Rc<Cell<bool>>,
    state: Option<Arc<State>>,
}

impl RequestBody {
    /// Whether the body was not read to its end and no handler holds it any more.
    fn is_abandoned(&self) -> bool {
        !self.has_ended.get() && Rc::strong_count(&self.payload) == 1
    }

    /// Discards the bytes that have already arrived, so that refusing a complete request does not cost the connection.
    async fn discard(&self) {
        // actix-http calls the handler before it has decoded the body bytes that arrived with the head.
        tokio::task::yield_now().await;
        let (mut body, mut discarded) = (self.clone(), 0);
        while discarded < LINGER_BYTES {
            match body.next().now_or_never() {
                Some(Some(Ok(bytes))) => discarded += bytes.len(),
                _ => break,
            }
        }
        if let Some(state) = &self.state {
            state.body_not_awaited();
        }
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut *self.payload.borrow_mut()).poll_next(cx);
        let has_ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if !self.has_ended.replace(self.has_ended.get() || has_ended)
            && let Some(state) = &self.state
        {
            // A handler that polls and gets nothing waits for the client; one that got bytes is busy with them.
            match polled {
                Poll::Pending => state.body_awaited(),
                Poll::Ready(Some(Ok(_))) => state.body_not_awaited(),
                Poll::Ready(_) => state.body_ended(),
            }
        }
        polled
    }
}

/// The body of a response, with the exchange that ends when it is dropped.
struct ResponseBody {
    body: BoxBody,
    _exchange: Exchange,
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
