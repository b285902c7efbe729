//! Permission: who asks, whether the rule of the route lets them, and whether the object is theirs.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use auth_core::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::permission::{Attempt, Decision, Denial, Ownership, Requester, Rule};
use auth_core::service::Caller;
use auth_core::user::{GroupName, User, UserId};

use crate::app::App;
use crate::client::client_ip;
use crate::error::ApiError;
use crate::outer::add_own_headers;

/// The bearer of the request's access token. Where there is none, a handler that asks for one is answered 401; one that
/// asks for an `Option` of it gets `None`.
#[derive(Clone, Debug)]
pub struct CurrentUser(Caller);

impl CurrentUser {
    /// The ID of the user.
    pub const fn id(&self) -> &UserId {
        &self.0.user.id
    }

    /// The name of the account.
    pub fn username(&self) -> &str {
        &self.0.user.username
    }

    /// Whether the account is an administrator's.
    pub const fn is_staff(&self) -> bool {
        self.0.user.is_staff
    }

    /// The account, as it was at most a moment ago.
    pub const fn user(&self) -> &User {
        &self.0.user
    }

    /// The caller as the services take it.
    pub const fn caller(&self) -> &Caller {
        &self.0
    }

    pub(crate) fn into_caller(self) -> Caller {
        self.0
    }
}

impl FromRequest for CurrentUser {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.map(Self).ok_or_else(ApiError::not_authenticated))
    }
}

/// The rule of the route, for a handler that has found the object and knows whose it is. To be asked before anything is
/// changed.
///
/// ```no_run
/// # use actix_web::{HttpResponse, web};
/// # use auth_core::user::UserId;
/// # use auth_http::{ApiError, ObjectPermission};
/// # struct Post { author: UserId }
/// # fn find(id: i64) -> Option<Post> { None }
/// async fn show(id: web::Path<i64>, permission: ObjectPermission) -> Result<HttpResponse, ApiError> {
///     let post = find(*id).ok_or_else(|| ApiError::not_found("No Post matches the given query."))?;
///     permission.check(post.author)?; // 401 or 403, if the rule of the route says so.
///     Ok(HttpResponse::Ok().finish())
/// }
/// ```
pub struct ObjectPermission {
    request: HttpRequest,
    pending: Pending,
}

/// What a route's rule left open, and whether the handler asked since.
#[derive(Clone)]
struct Pending {
    rule: Rc<Rule>,
    is_checked: Rc<Cell<bool>>,
}

impl ObjectPermission {
    /// Whether the requester may do this to an object of `owner`.
    ///
    /// # Errors
    /// 401 without credentials, else 403.
    pub fn check(&self, owner: UserId) -> Result<(), ApiError> {
        self.pending.is_checked.set(true);
        settle(&self.pending.rule, &self.request, Some(owner))
    }
}

impl FromRequest for ObjectPermission {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pending = request.extensions().get::<Pending>().cloned();
        let found = pending.map(|pending| Self { request: request.clone(), pending });
        ready(found.ok_or_else(|| {
            tracing::error!("a handler asks for the rule of a route that has none");
            ApiError::internal()
        }))
    }
}

/// Middleware for a scope or resource of a host's own: lets in whom a rule lets in. Nobody is the owner of anything here.
/// The application must have [`AuthRoutes`](crate::routes::AuthRoutes), else every request is refused. If it has several, say
/// which one is meant: [`AuthRoutes::app`](crate::routes::AuthRoutes::app).
///
/// ```no_run
/// use actix_web::{middleware::from_fn, web};
/// use auth_core::permission::Rule::IsAdmin;
/// let reports = web::scope("/reports").wrap(from_fn(|request, next| auth_http::require(IsAdmin, request, next)));
/// ```
pub async fn require(
    rule: Rule,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match authorize_without_object(&rule, &request).await {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(refusal) => {
            let mut response = request.into_response(refusal.error_response());
            add_own_headers(&mut response);
            Ok(response)
        }
    }
}

/// Finds out who asks, and whether a rule lets them, where there is no object that could be theirs.
async fn authorize_without_object(rule: &Rule, request: &ServiceRequest) -> Result<(), ApiError> {
    authenticate(request).await?;
    settle(rule, request.request(), None)
}

/// What a rule says where it is known who owns the object, or that there is none.
fn settle(rule: &Rule, request: &HttpRequest, owner: Option<UserId>) -> Result<(), ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    let is_owner = caller.as_ref().is_some_and(|caller| Some(&caller.user.id) == owner.as_ref());
    let ownership = if is_owner { Ownership::Owner } else { Ownership::Stranger };
    match decide(rule, caller.as_ref(), request.method(), ownership) {
        Decision::Allowed => Ok(()),
        // It cannot be: who owns it is known.
        Decision::Undecided => Err(ApiError::permission_denied()),
        Decision::Denied(denial) => Err(refusal(request, caller.as_ref(), &denial)),
    }
}

/// What a rule says before the handler runs.
pub(crate) enum Standing {
    /// Let in.
    Settled,
    /// The handler has to ask.
    UpToTheHandler(AskedFor),
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

/// Notes the bearer of the access token with the request, if it has one. Bad credentials are refused, whatever the
/// rule.
async fn authenticate(request: &ServiceRequest) -> Result<(), ApiError> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(missing_app)?;
    if request.extensions().get::<AuthenticatedBy>().is_some_and(|by| Arc::ptr_eq(&by.0, app)) {
        return Ok(());
    }
    // A caller that another service authenticated does not count here.
    request.extensions_mut().remove::<Caller>();
    let Some(token) = app.settings.credentials.token(request.headers())? else { return Ok(()) };
    let authenticated = match token {
        Ok(token) => app.tokens.authenticate(&token).await,
        Err(fault) => Err(AuthError::Token(fault)),
    };
    let caller = authenticated.map_err(|error| ApiError::at_guarded_path(error, app.explanation()))?;
    let mut extensions = request.extensions_mut();
    extensions.insert(caller);
    extensions.insert(AuthenticatedBy(Arc::clone(app)));
    Ok(())
}

/// The service that authenticated the caller.
struct AuthenticatedBy(Arc<App>);

fn missing_app() -> ApiError {
    tracing::error!("the application has no `App` data");
    ApiError::internal()
}

/// Counts a request of somebody without credentials.
pub(crate) fn throttle(request: &ServiceRequest) -> Result<(), ApiError> {
    let app = request.app_data::<web::Data<App>>().map(|app| app.get_ref());
    let throttle = app.and_then(|app| app.throttle.as_ref());
    match (throttle, client_ip(request.peer_addr(), request.headers(), app)) {
        (Some(throttle), Some(ip)) if !request.extensions().contains::<Caller>() => {
            throttle.admit(ip, Instant::now()).map_err(|wait| {
                record(request.request(), SecurityEvent::of_nobody(EventKind::RequestThrottled));
                ApiError::throttled(wait)
            })
        }
        _ => Ok(()),
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
        tracing::debug!(refused_by = %denial, "somebody without credentials is refused");
        return ApiError::not_authenticated();
    };
    record(request, SecurityEvent::denied(&caller.user.id, denial));
    ApiError::permission_denied()
}

fn record(request: &HttpRequest, event: SecurityEvent) {
    if let Some(app) = request.app_data::<web::Data<App>>() {
        app.tokens.ports().events.record(event);
    }
}
