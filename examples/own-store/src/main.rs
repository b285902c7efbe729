//! The life of two sessions: a refresh, a used refresh token that ends the first, and a logout that ends the second.
#![expect(clippy::print_stdout, reason = "shows what happens")]

use std::error::Error;
use std::sync::Arc;

use auth_core::error::AuthError;
use auth_core::event::SecurityEvent;
use auth_core::ports::{Clock, SecurityEvents};
use auth_core::service::{LogoutRequest, SignedToken, TokenPolicy, TokenPorts, TokenService};
use auth_core::time::Seconds;
use auth_core::token::{Authentication, ClientInfo, RawToken};
use auth_core::user::{User, UserId};
use auth_crypto::{KeyRing, RingOptions, SigningKey, SystemClock, SystemRandomness, generate_ed25519_pem};
use own_store::OwnStore;

/// The audit log.
struct Printed;

impl SecurityEvents for Printed {
    fn record(&self, event: SecurityEvent) {
        println!("audit log: {}", event.kind.name());
    }
}

fn token_service(store: Arc<OwnStore>) -> Result<TokenService, Box<dyn Error>> {
    let key = SigningKey::from_pem(None, &generate_ed25519_pem()?)?;
    let ports = TokenPorts {
        store,
        signer: Arc::new(KeyRing::new(key, Vec::new(), RingOptions::default())?),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        events: Arc::new(Printed),
        auth_cache: None,
        reuse_notices: None,
    };
    let mut policy = TokenPolicy::default();
    policy.rotation.retry_window = Seconds::new(0); // A used refresh token counts as reused at once, never as a retry.
    Ok(TokenService::new(ports, policy))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(OwnStore::default());
    let tokens = token_service(store.clone())?;
    let alice = alice();
    store.with_users(|users| users.insert(alice.id.clone(), alice.clone()))?;

    println!("Alice logs in with a passkey, which the application verifies, and refreshes.");
    let passkey = Authentication::new(["hwk", "mfa"], SystemClock.now())?;
    let first = tokens.start_session(&alice, &passkey, ClientInfo::default()).await?;
    let used = presented(&first.refresh)?;
    let next = tokens.refresh(&used).await?;

    println!("An attacker presents the used refresh token. The session ends, for Alice too.");
    println!("refused: {}", tokens.refresh(&used).await.err().ok_or("a used token was accepted")?);
    let access = presented(&next.access)?;
    println!("refused: {}", tokens.authenticate(&access).await.err().ok_or("the session is live")?);

    println!("Alice logs in again, and out.");
    let second = tokens.start_session(&alice, &passkey, ClientInfo::default()).await?;
    let access = presented(&second.access)?;
    let caller = tokens.authenticate(&access).await?;
    tokens.logout(&caller, LogoutRequest::All).await?;
    println!("refused: {}", tokens.authenticate(&access).await.err().ok_or("the session is live")?);
    Ok(())
}

/// A token as a request contains it.
fn presented(token: &SignedToken) -> Result<RawToken, AuthError> {
    Ok(RawToken::parse(token.expose())?)
}

/// A user of the application.
fn alice() -> User {
    User::new(UserId::new(1), "alice", SystemClock.timestamp())
}
