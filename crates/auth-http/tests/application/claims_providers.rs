//! Claims providers over HTTP: their claims are in both tokens, and a failure affects only one request.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use async_trait::async_trait;
use auth_accounts::ports::Accounts;
use auth_core::ports::{ClaimsError, ClaimsProvider};
use auth_core::time::Seconds;
use auth_core::token::CustomClaims;
use auth_core::user::{User, UserId};
use auth_http::routes::{Routes, standard};
use serde_json::json;
use tokio::sync::Notify;

use crate::fixture::*;

/// A fault of the claims provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Fault {
    None,
    Fails,
    Hangs,
    Panics,
    /// Writes a reserved claim.
    Oversteps,
}

const FAULTS: [Fault; 4] = [Fault::Fails, Fault::Hangs, Fault::Panics, Fault::Oversteps];
const INSIDE: &str = "the tenant database is on fire";

/// Counts its calls in the claim `visit`.
struct Tenant {
    calls: AtomicU64,
    fault: AtomicU8,
    hangs: Notify,
}

#[async_trait]
impl ClaimsProvider for Tenant {
    async fn add_claims(&self, user: &User, claims: &mut CustomClaims) -> Result<(), ClaimsError> {
        let count = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        claims.insert("visit", count)?;
        claims.insert("tenant", user.email.as_deref().and_then(|email| email.rsplit('@').next()).unwrap())?;
        let fault = self.fault.load(Ordering::SeqCst);
        if fault == Fault::Fails as u8 {
            return Err(INSIDE.into());
        } else if fault == Fault::Hangs as u8 {
            self.hangs.notify_one();
            pending::<()>().await;
        } else if fault == Fault::Panics as u8 {
            panic!("{INSIDE}");
        } else if fault == Fault::Oversteps as u8 {
            claims.insert("exp", 9_999_999_999_i64)?;
        }
        Ok(())
    }
}

async fn fixture() -> (Fixture, Arc<Tenant>, TestClient) {
    let tenant =
        Arc::new(Tenant { calls: AtomicU64::new(0), fault: AtomicU8::new(Fault::None as u8), hangs: Notify::new() });
    let fixture = Fixture::over(builder().claims_provider(tenant.clone()).build());
    fixture.service.register("alice").await;
    let client = TestClient::of(fixture.application(Routes::new(standard()))).await;
    (fixture, tenant, client)
}

/// Sends a request while the provider has this fault. If it hangs, the clock advances past its time limit.
async fn with_fault(fixture: &Fixture, tenant: &Tenant, fault: Fault, request: impl Future<Output = Answer>) -> Answer {
    tenant.fault.store(fault as u8, Ordering::SeqCst);
    let time_passes = async {
        if fault == Fault::Hangs {
            tenant.hangs.notified().await;
            fixture.service.clock.advance(Seconds::new(CLAIMS_TIMEOUT_SECONDS));
        }
    };
    let (answer, ()) = tokio::join!(request, time_passes);
    tenant.fault.store(Fault::None as u8, Ordering::SeqCst);
    answer
}

#[track_caller]
fn assert_unavailable(fault: Fault, answer: &Answer) {
    assert_eq!(answer.status, 503, "{fault:?}: {answer:?}");
    assert_eq!(answer.json()["code"], "temporarily_unavailable", "{fault:?}");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0, "{fault:?}");
    assert!(!answer.text.contains("tenant"), "{fault:?}: {answer:?}");
}

#[actix_web::test]
async fn both_tokens_have_the_claims_and_a_refresh_renews_them() {
    let (_, _, client) = fixture().await;
    let mut answer = client.login("alice").await.json();
    for visit in 1..=3 {
        for kind in ["access", "refresh"] {
            let claims = claims(answer[kind].as_str().unwrap());
            assert_eq!((&claims["visit"], &claims["tenant"]), (&json!(visit), &json!("example.com")), "{kind}");
            assert_eq!(claims["token_type"], kind);
        }
        answer = client.post("/api/token/refresh/", None, json!({"refresh": answer["refresh"]})).await.json();
    }
}

#[actix_web::test]
async fn a_login_without_claims_is_503_and_changes_nothing() {
    let (fixture, tenant, client) = fixture().await;
    for fault in FAULTS {
        let before = fixture.service.store.find_user(&UserId::new(1)).await.unwrap();
        let answer = with_fault(&fixture, &tenant, fault, client.login("alice")).await;
        assert_unavailable(fault, &answer);
        assert_eq!(fixture.service.store.sessions(), [], "{fault:?}");
        assert_eq!(fixture.service.store.find_user(&UserId::new(1)).await.unwrap(), before, "{fault:?}");
    }
    assert_eq!(client.login("alice").await.status, 200);
    assert_eq!(fixture.service.store.sessions().len(), 1);
}

#[actix_web::test]
async fn a_refresh_without_claims_is_503_and_can_be_retried() {
    let (fixture, tenant, client) = fixture().await;
    let pair = client.login("alice").await.json();
    let body = json!({"refresh": pair["refresh"]});
    for fault in FAULTS {
        let before = fixture.service.store.sessions();
        let refresh = client.post("/api/token/refresh/", None, body.clone());
        assert_unavailable(fault, &with_fault(&fixture, &tenant, fault, refresh).await);
        assert_eq!(fixture.service.store.sessions(), before, "{fault:?}");
    }
    assert_eq!(client.post("/api/token/refresh/", None, body).await.status, 200);
    // A wrong password does not call the provider.
    let calls_before = tenant.calls.load(Ordering::SeqCst);
    tenant.fault.store(Fault::Fails as u8, Ordering::SeqCst);
    let wrong = json!({"username": "alice", "password": "Wrong-horse-42"});
    assert_eq!(client.post("/api/token/", None, wrong).await.status, 401);
    assert_eq!(tenant.calls.load(Ordering::SeqCst), calls_before);
}
