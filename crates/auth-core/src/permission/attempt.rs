use std::collections::BTreeSet;

/// Who asks: what a rule may know of the bearer of a token. The default is somebody who is logged in, and no more.
///
/// ```
/// # use auth_core::permission::Requester;
/// let editor = Requester { roles: ["editor".to_owned()].into(), ..Requester::default() };
/// assert!(editor.roles.contains("editor") && !editor.is_staff);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// Whether they administer the service.
    pub is_staff: bool,
    /// The names of their roles, compared byte by byte.
    pub roles: BTreeSet<String>,
}

/// What is asked, and by whom.
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
    /// Who asks; `None` if nobody is logged in.
    pub requester: Option<&'a Requester>,
    /// Whether the method only reads: GET, HEAD or OPTIONS (RFC 9110 §9.2.1).
    pub is_safe: bool,
    /// Whether the requester owns what is asked for.
    pub ownership: Ownership,
}

/// Whether the requester owns what is asked for.
///
/// ```
/// # use auth_core::permission::*;
/// let somebody = Requester::default();
/// let decide = |ownership| Rule::IsOwner.decide(&Attempt { requester: Some(&somebody), is_safe: true, ownership });
/// assert_eq!(decide(Ownership::Unknown), Decision::Undecided);
/// assert_eq!(decide(Ownership::Owner), Decision::Allowed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The object has not been looked up yet.
    Unknown,
    /// It is theirs. Nobody owns nothing: without a requester the same as [`Stranger`](Self::Stranger).
    Owner,
    /// It is somebody else's, or nobody's.
    Stranger,
}
