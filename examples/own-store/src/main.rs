//! `own-store [FILE]`: the life of a session on a store of one's own, in this file, else in memory.
#![expect(clippy::print_stdout, reason = "shows what happens")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use auth_core::error::{AuthError, StoreError};
use auth_core::event::SecurityEvent;
use auth_core::ports::{Clock, SecurityEvents, TokenUsers};
use auth_core::rotation::RotationPolicy;
use auth_core::service::{LogoutRequest, SignedToken, TokenPolicy, TokenPorts, TokenService};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{Authentication, ClientInfo, RawToken, Subject};
use auth_core::user::{SecurityStamp, User, UserId};
use auth_crypto::{KeyRing, RingOptions, SigningKey, SystemClock, SystemRandomness, generate_ed25519_pem};
use own_store::OwnStore;

/// The audit log.
struct Printed;

impl SecurityEvents for Printed {
    fn record(&self, event: SecurityEvent) {
        println!("audit log: {}", event.kind.name());
    }
}

fn token_service(store: OwnStore) -> Result<TokenService, Box<dyn Error>> {
    let key = SigningKey::from_pem(None, &generate_ed25519_pem()?)?;
    let ports = TokenPorts {
        store: Arc::new(store),
        signer: Arc::new(KeyRing::new(key, Vec::new(), RingOptions::default())?),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        events: Arc::new(Printed),
        auth_cache: None,
        reuse_notices: None,
    };
    // Without a window for retries, the first replay of a used token counts as reuse.
    let rotation = RotationPolicy { retry_window: Seconds::new(0), ..RotationPolicy::default() };
    Ok(TokenService::new(ports, TokenPolicy { rotation, ..TokenPolicy::default() }))
}

/// A user as the application stores one when they register.
fn alice() -> User {
    User {
        id: UserId::new(1),
        username: "alice".to_owned(),
        email: Some("alice@example.com".to_owned()),
        email_is_login_name: true,
        first_name: String::new(),
        last_name: String::new(),
        is_active: true,
        is_staff: false,
        is_superuser: false,
        groups: [].into(),
        date_joined: SystemClock.timestamp(),
        last_login: None,
        email_verified_at: None,
        token_epoch: UnixTime::default(),
        multi_factor_since: None,
        security_stamp: SecurityStamp::default(),
    }
}

/// Alice as the store has her, who registers the first time.
async fn registered(store: &OwnStore) -> Result<User, StoreError> {
    if let Some(user) = store.find_by_subject(&Subject::Username("alice".to_owned())).await? {
        return Ok(user);
    }
    let user = alice();
    store.add_user(user.clone()).await?;
    Ok(user)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = match std::env::args().nth(1) {
        Some(path) => OwnStore::open(Path::new(&path))?,
        None => OwnStore::in_memory()?,
    };
    let tokens = token_service(store.clone())?;

    println!("Alice logs in with a passkey, which the application verifies.");
    // The user is read first: if she changes while she is authenticated, no session starts.
    let user = registered(&store).await?;
    let passkey = Authentication::new(["hwk", "mfa"], SystemClock.now())?;
    let stolen = tokens.start_session(&user, &passkey, ClientInfo::default()).await?;
    let other = tokens.start_session(&user, &passkey, ClientInfo::default()).await?;

    println!("She refreshes; then a used refresh token is presented.");
    let used = presented(&stolen.refresh)?;
    let next = tokens.refresh(&used).await?;
    println!("refused: {}", tokens.refresh(&used).await.err().ok_or("a used token was accepted")?);
    let access = presented(&next.access)?;
    println!("refused: {}", tokens.authenticate(&access).await.err().ok_or("the session is live")?);

    println!("Her other session is live until she logs out.");
    let access = presented(&other.access)?;
    let caller = tokens.authenticate(&access).await?;
    tokens.logout(&caller, LogoutRequest::All).await?;
    println!("refused: {}", tokens.authenticate(&access).await.err().ok_or("the session is live")?);
    Ok(())
}

/// A token as a request brings it.
fn presented(token: &SignedToken) -> Result<RawToken, AuthError> {
    Ok(RawToken::parse(token.expose())?)
}
