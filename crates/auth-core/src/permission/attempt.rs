use std::collections::BTreeSet;

/// What a rule may know of the caller. The default is a caller without roles who is not staff.
///
/// ```
/// # use auth_core::permission::Requester;
/// let editor = Requester { roles: ["editor".to_owned()].into(), ..Requester::default() };
/// assert!(editor.roles.contains("editor") && !editor.is_staff);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// Whether the caller is staff.
    pub is_staff: bool,
    /// The names of the caller's roles, compared byte by byte.
    pub roles: BTreeSet<String>,
}

/// A request, as far as a rule looks at it.
///
/// ```
/// # use auth_core::permission::*;
/// let anonymous_get = Attempt { requester: None, is_safe: true, ownership: Ownership::Unknown };
/// assert_eq!(Rule::IsAuthenticatedOrReadOnly.decide(&anonymous_get), Decision::Allowed);
/// let anonymous_put = Attempt { is_safe: false, ..anonymous_get };
/// assert!(matches!(Rule::IsAuthenticatedOrReadOnly.decide(&anonymous_put), Decision::Denied(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The caller; `None` if the request is not authenticated.
    pub requester: Option<&'a Requester>,
    /// Whether the method is safe: GET, HEAD or OPTIONS (RFC 9110 §9.2.1).
    pub is_safe: bool,
    /// Whether the caller owns the requested object.
    pub ownership: Ownership,
}

/// Whether the caller owns the requested object.
///
/// ```
/// # use auth_core::permission::*;
/// let user = Requester::default();
/// let decide = |ownership| Rule::IsOwner.decide(&Attempt { requester: Some(&user), is_safe: true, ownership });
/// assert_eq!(decide(Ownership::Unknown), Decision::Undecided);
/// assert_eq!(decide(Ownership::Owner), Decision::Allowed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The object has not been looked up yet.
    Unknown,
    /// The caller owns the object. Without a caller this is the same as [`Stranger`](Self::Stranger).
    Owner,
    /// The object belongs to another user or to no user.
    Stranger,
}
