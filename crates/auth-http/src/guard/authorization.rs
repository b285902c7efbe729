//! Authorization: whether a permission rule allows a request.

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

/// The decision of a rule before the handler runs.
pub(crate) enum Authorization {
    /// The request is allowed.
    Allowed,
    /// The decision depends on the owner of an object, so the handler must check it.
    LeftToHandler(OwnershipCheck),
}

/// Request extension: the rule, and whether the handler has checked it for its object.
#[derive(Clone)]
pub(super) struct PendingRule {
    pub(super) rule: Rc<Rule>,
    pub(super) is_checked: Rc<Cell<bool>>,
}

/// Whether the handler has checked the permission that was left to it.
pub(crate) struct OwnershipCheck(Rc<Cell<bool>>);

impl OwnershipCheck {
    pub(crate) fn is_missing(&self) -> bool {
        !self.0.get()
    }
}

/// Authenticates the caller and applies a rule.
pub(crate) async fn authorize(
    rule: &Rule,
    reads_credentials: bool,
    request: &ServiceRequest,
) -> Result<Authorization, ApiError> {
    if reads_credentials {
        authenticate(request).await?;
    }
    let pending = PendingRule { rule: Rc::new(rule.clone()), is_checked: Rc::default() };
    let check = OwnershipCheck(pending.is_checked.clone());
    let caller = request.extensions().get::<Caller>().cloned();
    request.extensions_mut().insert(pending);
    match decide(rule, caller.as_ref(), request.method(), Ownership::Unknown) {
        Decision::Allowed => Ok(Authorization::Allowed),
        Decision::Undecided => Ok(Authorization::LeftToHandler(check)),
        Decision::Denied(denial) => Err(refusal(request.request(), caller.as_ref(), &denial)),
    }
}

/// Authenticates the caller and applies a rule where there is no object to own.
pub(crate) async fn authorize_without_object(rule: &Rule, request: &ServiceRequest) -> Result<(), ApiError> {
    authenticate(request).await?;
    enforce(rule, request.request(), None)
}

/// Applies a rule to an object of `owner`; `None`: there is no object.
pub(super) fn enforce(rule: &Rule, request: &HttpRequest, owner: Option<&UserId>) -> Result<(), ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    let is_owner = caller.as_ref().is_some_and(|caller| Some(&caller.user.id) == owner);
    let ownership = if is_owner { Ownership::Owner } else { Ownership::Stranger };
    match decide(rule, caller.as_ref(), request.method(), ownership) {
        Decision::Allowed => Ok(()),
        // Unreachable: the ownership is known.
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

/// 401 without a caller, otherwise 403. The part of the rule that refused is recorded in the audit log.
fn refusal(request: &HttpRequest, caller: Option<&Caller>, denial: &Denial) -> ApiError {
    let Some(caller) = caller else {
        tracing::debug!(refused_by = %denial, "refused a request without credentials");
        return ApiError::not_authenticated();
    };
    record(request, SecurityEvent::denied(&caller.user.id, denial));
    ApiError::permission_denied()
}
