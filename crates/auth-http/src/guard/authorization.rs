//! Whether a rule lets the caller in.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};
use auth_core::event::SecurityEvent;
use auth_core::permission::{Attempt, Decision, Denial, Ownership, Requester, Rule};
use auth_core::service::Caller;
use auth_core::user::{GroupName, UserId};

use super::authentication::authenticate;
use super::record;
use crate::error::ApiError;

/// What a rule says before the handler runs.
pub(crate) enum Standing {
    /// Let in.
    Settled,
    /// The handler has to ask.
    UpToTheHandler(AskedFor),
}

/// What a route's rule left open, and whether the handler asked since.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) rule: Rc<Rule>,
    pub(super) is_checked: Rc<Cell<bool>>,
}

/// Whether the handler has asked for the permission that was left to it.
pub(crate) struct AskedFor(Rc<Cell<bool>>);

impl AskedFor {
    pub(crate) fn is_missing(&self) -> bool {
        !self.0.get()
    }
}

/// Finds out who asks, and whether a rule lets them.
pub(crate) async fn authorize(
    rule: &Rule,
    reads_credentials: bool,
    request: &ServiceRequest,
) -> Result<Standing, ApiError> {
    if reads_credentials {
        authenticate(request).await?;
    }
    let pending = Pending { rule: Rc::new(rule.clone()), is_checked: Rc::default() };
    let asked = AskedFor(pending.is_checked.clone());
    let caller = request.extensions().get::<Caller>().cloned();
    request.extensions_mut().insert(pending);
    match decide(rule, caller.as_ref(), request.method(), Ownership::Unknown) {
        Decision::Allowed => Ok(Standing::Settled),
        Decision::Undecided => Ok(Standing::UpToTheHandler(asked)),
        Decision::Denied(denial) => Err(refusal(request.request(), caller.as_ref(), &denial)),
    }
}

/// Finds out who asks, and whether a rule lets them, where there is no object that could be theirs.
pub(crate) async fn authorize_without_object(rule: &Rule, request: &ServiceRequest) -> Result<(), ApiError> {
    authenticate(request).await?;
    settle(rule, request.request(), None)
}

/// What a rule says where it is known who owns the object, or that there is none.
pub(super) fn settle(rule: &Rule, request: &HttpRequest, owner: Option<&UserId>) -> Result<(), ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    let is_owner = caller.as_ref().is_some_and(|caller| Some(&caller.user.id) == owner);
    let ownership = if is_owner { Ownership::Owner } else { Ownership::Stranger };
    match decide(rule, caller.as_ref(), request.method(), ownership) {
        Decision::Allowed => Ok(()),
        // It cannot be: who owns it is known.
        Decision::Undecided => Err(ApiError::permission_denied()),
        Decision::Denied(denial) => Err(refusal(request, caller.as_ref(), &denial)),
    }
}

fn decide(rule: &Rule, caller: Option<&Caller>, method: &Method, ownership: Ownership) -> Decision {
    let requester = caller.map(requester);
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    rule.decide(&Attempt { requester: requester.as_ref(), is_safe, ownership })
}

fn requester(caller: &Caller) -> Requester {
    let groups = caller.user.groups.iter().map(GroupName::as_str);
    let roles = groups.chain([caller.user.role()]).map(str::to_owned).collect();
    Requester { is_staff: caller.user.is_staff, roles }
}

/// 401 where logging in may help, else 403. Which part of the rule refused is for the audit log.
fn refusal(request: &HttpRequest, caller: Option<&Caller>, denial: &Denial) -> ApiError {
    let Some(caller) = caller else {
        tracing::debug!(refused_by = %denial, "a request without credentials is refused");
        return ApiError::not_authenticated();
    };
    record(request, SecurityEvent::denied(&caller.user.id, denial));
    ApiError::permission_denied()
}
