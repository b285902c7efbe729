//! One request and its answer, as far as the connection is concerned: whether a handler waits for the body, and whether it
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

/// A request and its answer. When this is dropped, the answer is complete.
///
/// It keeps the body of the request until then: for a chunked body that was dropped, actix-http waits without a limit
/// before it closes the connection; for one that was kept and not read, it lingers and closes.
pub(crate) struct Exchange {
    /// `None` where the application is not served by [`serve`](fn@super::serve).
    state: Option<Arc<State>>,
    body: Option<Incoming>,
}

impl Exchange {
    /// Begins with a request, and watches how its body is read.
    pub(crate) fn begin(request: &mut ServiceRequest) -> Self {
        let state = request.request().conn_data::<Arc<State>>().cloned();
        let body = match request.take_payload() {
            Payload::None => None,
            payload => {
                let body = Incoming {
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

    /// Ends with a response, once that has been written. If the body was not read to its end, or others need the place of the
    /// connection, it closes then, and the response says so (RFC 9112 §9.6).
    pub(crate) async fn finish(self, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let mut closes = self.state.as_ref().is_some_and(|state| state.is_crowded());
        if let Some(body) = self.body.as_ref().filter(|body| body.is_abandoned()) {
            body.discard().await;
            closes |= !body.has_ended.get();
        }
        let head = response.response_mut().head_mut();
        if closes && !head.upgrade() {
            head.set_connection_type(ConnectionType::Close);
        }
        response.map_body(|_, body| BoxBody::new(Answer { body, _exchange: self }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.answer_ended(self.body.as_ref().is_none_or(|body| body.has_ended.get()));
        }
    }
}

/// The body of a request.
#[derive(Clone)]
struct Incoming {
    payload: Rc<RefCell<Payload>>,
    has_ended: Rc<Cell<bool>>,
    state: Option<Arc<State>>,
}

impl Incoming {
    /// Whether it was not read to its end, and no handler will do so.
    fn is_abandoned(&self) -> bool {
        !self.has_ended.get() && Rc::strong_count(&self.payload) == 1
    }

    /// Discards what has come already, so that a refusal of a whole request costs no connection.
    async fn discard(&self) {
        // actix-http calls a handler with the head, before it looks at the bytes of the body that came with it.
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

impl Stream for Incoming {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut *self.payload.borrow_mut()).poll_next(cx);
        let has_ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if !self.has_ended.replace(self.has_ended.get() || has_ended)
            && let Some(state) = &self.state
        {
            match polled {
                Poll::Pending => state.body_awaited(),
                Poll::Ready(Some(Ok(_))) => state.body_not_awaited(),
                Poll::Ready(_) => state.body_ended(),
            }
        }
        polled
    }
}

/// The body of an answer, and what ends with it.
struct Answer {
    body: BoxBody,
    _exchange: Exchange,
}

impl MessageBody for Answer {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
