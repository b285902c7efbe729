//! Change of the password by somebody who is logged in.

use crate::account::User;
use crate::error::{AuthError, StoreError};
use crate::event::{EventKind, SecurityEvent};
use crate::mail::MailKind;
use crate::password::{PasswordPolicy, RawPassword};
use crate::ports::{KeptSession, NewPassword, PasswordUpdate, QueueShare, ReplacedSession};
use crate::rotation::{OnRefresh, OnRetry, RotationPolicy};
use crate::service::context::Context;
use crate::service::{Caller, Issued, Shown, TokenPair, TokenService};
use crate::token::{Authentication, Generation, Session, SessionId, SessionOfUser, TokenFault, TokenKind};

/// What somebody asks for who wants another password.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The password that they have, and the second factor where a login takes one.
    pub shown: Shown,
    /// The password that they want.
    pub new: RawPassword,
}

/// How the caller's session continues after a password change, and its new tokens. Without a session, all fields are empty.
#[derive(Default)]
struct GoingOn {
    keep: Option<KeptSession>,
    replace: Option<ReplacedSession>,
    issued: Option<Issued>,
}

impl TokenService {
    /// How often a change is tried again when the session is refreshed while it is under way.
    const MAX_CHANGES: usize = 8;

    /// Changes the password of the caller. Every other session of theirs ends, and every open link and challenge; their own
    /// goes on with the pair that is answered, so that whoever else held a token of it is out (SEC-111). Where an older
    /// token may still be exchanged ([`OnRetry::Replay`], [`OnRefresh::KeepAndRotate`], [`TokenKind::Sliding`]), the pair is
    /// that of another session in its place; where sliding tokens alone are accepted, it is one of those. `None` if the
    /// caller's token belongs to no session: then all of them end.
    ///
    /// # Errors
    /// [`AuthError::WrongPassword`] if the old one is wrong; guesses count as at a login.
    /// [`AuthError::ChallengeMissing`], [`AuthError::ChallengeInvalid`], [`AuthError::WrongCode`] where a login takes a second
    /// factor (SEC-134). [`TokenFault::Revoked`] if the session has ended, or could not be
    /// [refreshed](Self::refresh) for want of a second factor.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the new one does not pass `rules`.
    pub async fn change_password(
        &self,
        caller: &Caller,
        change: PasswordChange,
        rules: &PasswordPolicy,
    ) -> Result<Option<Issued>, AuthError> {
        let context = self.context();
        let PasswordChange { shown, new } = change;
        // Before anything is compared or counted.
        self.own_live_session(caller).await?;
        let mut user = context.own_password(&caller.user, &shown.password, &shown.client).await?;
        let hash = self.ports.hasher.hash(&Context::checked(&user, new, rules)?, QueueShare::Whole).await?;
        // Last: a code is used up when it is compared.
        context.confirm_factor(&user, &shown).await?;
        for _ in 0..Self::MAX_CHANGES {
            let goes_on = match self.own_live_session(caller).await? {
                Some(found) => self.going_on(found).await?,
                None => GoingOn::default(),
            };
            let mails = context.mail(MailKind::PasswordChanged, &user.email, &context.content(&user, &shown.client))?;
            let GoingOn { keep, replace, issued } = goes_on;
            let only_at = Some(user.security_stamp);
            let new = NewPassword { only_at, keep, replace, mails, ..NewPassword::new(user.id, hash.clone()) };
            match self.ports.store.set_password(&new, self.ports.clock.now()).await? {
                PasswordUpdate::Done => {
                    self.ports.note_changed(user.id);
                    self.ports.record(SecurityEvent::of_user(EventKind::PasswordChanged, user.id));
                    return Ok(issued);
                }
                PasswordUpdate::Gone => return Err(AuthError::UserNotFound),
                // The session went on, or the account is another than it was: then all is decided once more.
                PasswordUpdate::Overtaken if self.is_still(&user).await? => {}
                PasswordUpdate::Overtaken => user = context.authorize(&user, &shown).await?,
            }
        }
        Err(StoreError::unavailable("the session keeps changing during the change of its password").into())
    }

    /// The caller's session, if their token belongs to one. It must be one that a refresh would carry on: it has not ended, its
    /// account is active, and it began with a second factor where one is required. A token of no session has shown none.
    async fn own_live_session(&self, caller: &Caller) -> Result<Option<SessionOfUser>, AuthError> {
        let Some(id) = caller.session else {
            self.check_factor(&caller.user, "")?;
            return Ok(None);
        };
        let found = self.ports.store.find_session(id).await?;
        let own = found.filter(|found| found.session.revoked_at.is_none() && found.user.id == caller.user.id);
        let own = own.ok_or(TokenFault::Revoked)?;
        self.check_active(&own.user)?;
        self.check_factor(&own.user, &own.session.amr)?;
        Ok(Some(own))
    }

    /// Whether another generation shuts out whoever holds an older token of a session. It does not where a spent refresh
    /// token may still be exchanged, nor a sliding token, which has no generation: there the session has to end, and another
    /// one begins in its place.
    fn spends_for_good(&self) -> bool {
        let RotationPolicy { on_retry, on_refresh, .. } = self.policy.rotation;
        let may_be_sliding = self.policy.accepted_kinds.contains(&TokenKind::Sliding);
        on_retry == OnRetry::Refuse && on_refresh != OnRefresh::KeepAndRotate && !may_be_sliding
    }

    /// How the caller's session goes on: with another generation, or as another session.
    async fn going_on(&self, found: SessionOfUser) -> Result<GoingOn, AuthError> {
        if self.spends_for_good() {
            let (kept, pair) = self.rotated(&found).await?;
            return Ok(GoingOn { keep: Some(kept), replace: None, issued: Some(Issued::Pair(pair)) });
        }
        let ends = found.session.id;
        let (begins, issued) = self.replaced(found).await?;
        Ok(GoingOn { keep: None, replace: Some(ReplacedSession { ends, begins }), issued: Some(issued) })
    }

    /// A session in the place of one that ends with the password, for as long as that one would have lived.
    async fn replaced(&self, found: SessionOfUser) -> Result<(Session, Issued), AuthError> {
        let SessionOfUser { session: ends, user } = found;
        let now = self.ports.clock.now();
        if !self.policy.accepted_kinds.contains(&TokenKind::Access) {
            let authentication = Authentication::of(&ends);
            let (session, token) = self.first_sliding(&user, &authentication, ends.client).await?;
            return Ok((session, Issued::Sliding(token)));
        }
        let session = Session {
            id: SessionId::draw(self.ports.randomness.as_ref()),
            generation: Generation::FIRST,
            rotated_at: now,
            last_used_at: now,
            expires_at: ends.cap(now.plus(self.policy.rotation.refresh_ttl)),
            ..ends
        };
        let custom = self.custom_claims(&user, self.no_claims()).await?;
        let pair = self.sign_pair(&user, &session, session.current(), &custom)?;
        Ok((session, Issued::Pair(pair)))
    }

    async fn rotated(&self, found: &SessionOfUser) -> Result<(KeptSession, TokenPair), AuthError> {
        let session = &found.session;
        let next = session.next(self.ports.clock.now(), self.policy.rotation.refresh_ttl).ok_or(TokenFault::Expired)?;
        let custom = self.custom_claims(&found.user, self.no_claims()).await?;
        let pair = self.sign_pair(&found.user, session, next, &custom)?;
        Ok((KeptSession { id: session.id, from: session.generation, next }, pair))
    }

    /// Whether what was decided on this account still counts.
    async fn is_still(&self, user: &User) -> Result<bool, AuthError> {
        let now = self.ports.store.find_user(user.id).await?.ok_or(AuthError::UserNotFound)?;
        Ok(now.security_stamp == user.security_stamp)
    }
}
