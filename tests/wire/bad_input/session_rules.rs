//! Session rules of the default profile beyond SimpleJWT: access tokens are revoked with their session, reuse of a refresh
//! token revokes it, and only the holder of a correctly signed token learns the reason (SEC-020 to SEC-037).

use auth_core::token::{Generation, SessionId, TokenId};
use auth_tests::answers::{Findings, assert_status};
use auth_tests::cases::Once;
use auth_tests::{Answer, PASSWORD, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{Claims, HEADER, claims_of, now, sign_with, unique_jti};
use crate::bad_input::shared_servers::{fresh, own_server};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let mut trials = cases![
        servers.development =>
            refuses_a_refresh_token_that_was_never_issued,
            logout_revokes_the_access_token,
            blacklisting_a_refresh_token_revokes_the_session,
            logout_of_all_sessions_revokes_every_access_token,
            logout_of_other_sessions_keeps_the_own_session,
            users_cannot_log_out_each_other,
            a_logout_without_a_target_revokes_nothing,
            forged_tokens_get_no_reason,
            reasons_distinguish_inactive_and_deleted_users;
        servers.simplejwt =>
            users_cannot_log_out_each_other,
            a_logout_without_a_target_revokes_nothing,
            the_simplejwt_profile_gives_no_reasons;
        servers.development_postgres =>
            refuses_a_refresh_token_that_was_never_issued,
            logout_of_all_sessions_revokes_every_access_token];
    trials.extend(cases![Once =>
        a_retry_within_the_window_is_refused_and_the_session_stays_live,
        reuse_outside_the_window_revokes_only_that_session,
        without_a_window_any_reuse_revokes_the_session,
        a_retry_gets_the_same_successor,
        logout_with_a_used_token_revokes_the_session,
        reasons_can_be_turned_off,
        refreshes_do_not_extend_the_absolute_lifetime,
    ]);
    trials
}

const LONG_WINDOW: (&str, &str) = ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600");
const NO_WINDOW: (&str, &str) = ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0");

/// Panics unless the answer is a 401 with this reason.
#[track_caller]
fn assert_reason(answer: &Answer, reason: &str) {
    assert_status(answer, 401);
    assert_eq!(answer.json()["reason"], reason, "{}", answer.text);
}

async fn blacklist(api: &TestClient, token: &str) -> Answer {
    api.post("/api/token/blacklist/", None, json!({"refresh": token})).await
}

async fn verify(api: &TestClient, token: &str) -> Answer {
    api.post("/api/token/verify/", None, json!({"token": token})).await
}

/// Panics unless every token of the session is refused.
async fn assert_revoked(api: &TestClient, pair: &TokenPair) {
    assert_reason(&api.me(&pair.access).await, "session_revoked");
    assert_reason(&api.refresh(&pair.refresh).await, "session_revoked");
    assert_reason(&api.logout(&pair.access, json!({"all": "1"})).await, "session_revoked");
    for token in [&pair.access, &pair.refresh] {
        let answer = verify(api, token).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"non_field_errors": ["Token is blacklisted"]}));
    }
}

/// Panics unless the session is live. Uses its refresh token, and returns the next pair.
async fn assert_live(api: &TestClient, pair: &TokenPair) -> TokenPair {
    assert_status(&api.me(&pair.access).await, 200);
    TokenPair::of(&api.refresh(&pair.refresh).await)
}

async fn refuses_a_refresh_token_that_was_never_issued(service: &Service) {
    let pair = service.register_and_login(&fresh("strict")).await;
    let jti = unique_jti();
    let external = Claims::of(&pair.refresh).without("sid").without("gen").with("jti", format!("\"{jti}\"")).token();
    assert_reason(&service.refresh(&external).await, "session_unknown");
    assert_reason(&blacklist(service, &external).await, "session_unknown");
    assert_status(&service.logout(&pair.access, json!({"refresh": external})).await, 400);
    // Nor one of a session that does not exist.
    let unknown = Claims::of(&pair.refresh).with("sid", format!("\"{jti}\"")).with("jti", format!("\"{jti}\"")).token();
    assert_reason(&service.refresh(&unknown).await, "session_unknown");
    let unknown = Claims::of(&pair.access).with("sid", format!("\"{jti}\"")).token();
    assert_reason(&service.me(&unknown).await, "session_unknown");
    // Nor one with a rotation generation that has not been reached.
    let session = claims_of(&pair.refresh)["sid"].as_str().and_then(SessionId::parse).expect("a session");
    let jti = TokenId::of_generation(session, Generation::new(1));
    let early = Claims::of(&pair.refresh).with("gen", 1).with("jti", format!("\"{}\"", jti.as_str())).token();
    assert_reason(&service.refresh(&early).await, "token_never_issued");
    assert_live(service, &pair).await;
}

async fn logout_revokes_the_access_token(service: &Service) {
    for key in ["refresh", "refresh_token"] {
        let name = fresh("strict");
        let (revoked, other) = (service.register_and_login(&name).await, service.login(&name).await);
        assert_status(&service.logout(&revoked.access, json!({key: revoked.refresh})).await, 200);
        assert_revoked(service, &revoked).await;
        // A session can revoke another session of the same user.
        let third = service.login(&name).await;
        assert_status(&service.logout(&other.access, json!({key: third.refresh})).await, 200);
        assert_revoked(service, &third).await;
        assert_live(service, &other).await;
    }
}

async fn blacklisting_a_refresh_token_revokes_the_session(service: &Service) {
    let name = fresh("strict");
    let (revoked, other) = (service.register_and_login(&name).await, service.login(&name).await);
    assert_status(&blacklist(service, &revoked.refresh).await, 200);
    assert_revoked(service, &revoked).await;
    assert_reason(&blacklist(service, &revoked.refresh).await, "session_revoked");
    assert_live(service, &other).await;
}

async fn logout_of_all_sessions_revokes_every_access_token(service: &Service) {
    for all in [json!(true), json!("1"), json!(1), json!("yes")] {
        let (name, bystander) = (fresh("strict"), service.register_and_login(&fresh("strict")).await);
        let logins = [service.register_and_login(&name).await, service.login(&name).await, service.login(&name).await];
        // An externally issued token, which belongs to no session.
        let external = Claims::of(&logins[0].access).without("sid").with("iat", now()).token();
        assert_status(&service.me(&external).await, 200);
        assert_status(&service.logout(&logins[0].access, json!({"all": all})).await, 200);
        for login in &logins {
            assert_revoked(service, login).await;
        }
        assert_reason(&service.me(&external).await, "session_revoked");
        assert_live(service, &bystander).await;
        // The user can log in again.
        assert_live(service, &service.login(&name).await).await;
    }
}

async fn logout_of_other_sessions_keeps_the_own_session(service: &Service) {
    let (name, bystander) = (fresh("strict"), service.register_and_login(&fresh("strict")).await);
    let (own, others) =
        (service.register_and_login(&name).await, [service.login(&name).await, service.login(&name).await]);
    assert_status(&service.logout(&own.access, json!({"others": true})).await, 200);
    for other in &others {
        assert_revoked(service, other).await;
    }
    let own = assert_live(service, &own).await;
    assert_live(service, &bystander).await;
    // A second logout changes nothing.
    assert_status(&service.logout(&own.access, json!({"others": true})).await, 200);
    let own = assert_live(service, &own).await;
    // A token without a session has no other sessions to revoke.
    let external = Claims::of(&own.access).without("sid").token();
    let other = service.login(&name).await;
    let answer = service.logout(&external, json!({"others": true})).await;
    assert_refused_without_session(&answer);
    assert_live(service, &other).await;
}

/// The token may predate the logout or have no session: either way it must not revoke anything.
#[track_caller]
fn assert_refused_without_session(answer: &Answer) {
    let mut findings = Findings::default();
    findings.check("others, with a token without a session", answer, &[400, 401]);
    findings.assert_none();
}

async fn users_cannot_log_out_each_other(service: &Service) {
    let (victim, attacker) =
        (service.register_and_login(&fresh("victim")).await, service.register_and_login(&fresh("attacker")).await);
    for key in ["refresh", "refresh_token"] {
        let answer = service.logout(&attacker.access, json!({key: victim.refresh})).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"error": "Token is invalid"}));
    }
    // Nor with a used refresh token.
    let next = assert_live(service, &victim).await;
    assert_status(&service.logout(&attacker.access, json!({"refresh": victim.refresh})).await, 400);
    for body in
        [json!({"all": "1", "refresh": next.refresh}), json!({"all": "1", "user_id": 1, "username": "victim0000"})]
    {
        let attacker = service.register_and_login(&fresh("attacker")).await;
        assert_status(&service.logout(&attacker.access, body).await, 200);
    }
    assert_status(&service.me(&victim.access).await, 200);
    assert_live(service, &next).await;
}

async fn a_logout_without_a_target_revokes_nothing(service: &Service) {
    let name = fresh("strict");
    let (own, other) = (service.register_and_login(&name).await, service.login(&name).await);
    let mut findings = Findings::default();
    let mut bodies = vec![json!({}), json!([]), json!(null), json!("all"), json!(1), json!(true), json!(["all"])];
    for key in ["all", "others"] {
        for value in [
            json!("0"),
            json!("false"),
            json!("False"),
            json!("no"),
            json!("off"),
            json!("null"),
            json!(""),
            json!(" "),
            json!(0),
            json!(0.0),
            json!(false),
            json!(null),
            json!([]),
            json!({}),
            json!([1]),
            json!({"a": 1}),
        ] {
            bodies.push(json!({key: value}));
        }
    }
    for key in ["refresh", "refresh_token"] {
        for value in [json!(null), json!(""), json!(true), json!([]), json!([own.refresh]), json!({"a": own.refresh})] {
            bodies.push(json!({key: value}));
        }
    }
    bodies.push(json!({"All": "1"}));
    bodies.push(json!({"token": own.refresh}));
    for body in bodies {
        let answer = service.logout(&own.access, body.clone()).await;
        findings.check(&body, &answer, &[400]);
        findings.check_that(answer.json()["error"].is_string(), || format!("{body}: {}", answer.text));
        findings.check(format!("live after {body}"), &verify(service, &other.refresh).await, &[200]);
        findings.check(format!("live after {body}"), &verify(service, &own.refresh).await, &[200]);
    }
    // In a form every value is a string; without credentials the body is not read.
    for form in [vec![("all", "0")], vec![("all", "false")], vec![("all", "1"), ("all", "0")], vec![]] {
        let request = service.http.post(format!("{}/api/logout/", service.url)).bearer_auth(&own.access).form(&form);
        findings.check(format!("{form:?}"), &Answer::of(request.send().await.unwrap()).await, &[400]);
    }
    let answer = service.post("/api/logout/", None, json!({"all": "1", "refresh": own.refresh})).await;
    findings.check("anonymous", &answer, &[401]);
    findings.assert_none();
    assert_live(service, &own).await;
    assert_live(service, &other).await;
}

/// Tokens that are refused: a description, an access token, a refresh token, and the reason.
async fn refused_tokens(service: &Service) -> Vec<(&'static str, String, String, &'static str)> {
    let pair = service.register_and_login(&fresh("reason")).await;
    let (access, refresh) = (Claims::of(&pair.access), Claims::of(&pair.refresh));
    let both = |what, change: &dyn Fn(&Claims) -> Claims, reason| {
        (what, change(&access).token(), change(&refresh).token(), reason)
    };
    vec![
        both("expired", &|claims| claims.with("exp", now() - 1), "token_expired"),
        both("malformed", &|claims| claims.with("exp", "\"soon\""), "token_malformed"),
        both("without exp", &|claims| claims.without("exp"), "token_malformed"),
        both("without jti", &|claims| claims.without("jti"), "token_malformed"),
        both("without type", &|claims| claims.without("token_type"), "token_malformed"),
        both("of another type", &|claims| claims.with("token_type", "\"sliding\""), "token_wrong_type"),
    ]
}

async fn forged_tokens_get_no_reason(service: &Service) {
    let mut findings = Findings::default();
    for (what, access, refresh, reason) in refused_tokens(service).await {
        let forged = |token: &str| {
            let claims = Value::Object(claims_of(token)).to_string();
            sign_with(b"another-key-another-key-another-key", HEADER, claims)
        };
        for (endpoint, right, wrong) in [
            ("me", service.me(&access).await, service.me(&forged(&access)).await),
            ("refresh", service.refresh(&refresh).await, service.refresh(&forged(&refresh)).await),
            ("blacklist", blacklist(service, &refresh).await, blacklist(service, &forged(&refresh)).await),
        ] {
            findings.check(format!("{what} at {endpoint}"), &right, &[401]);
            findings.check_that(right.json()["reason"] == reason, || format!("{what} at {endpoint}: {}", right.text));
            findings.check(format!("{what}, forged, at {endpoint}"), &wrong, &[401]);
            findings.check_that(!wrong.text.contains("reason"), || {
                format!("{what}, forged, at {endpoint}: {}", wrong.text)
            });
        }
    }
    // Requests without a token, or with a malformed one, get no reason either.
    for answer in [
        service.me("abc").await,
        service.me("a.b.c").await,
        service.refresh("abc").await,
        verify(service, "a.b.c").await,
        service.post("/api/logout/", None, json!({})).await,
        service.post("/api/token/", None, json!({"username": "unknown", "password": PASSWORD})).await,
    ] {
        findings.check("no token", &answer, &[401]);
        findings.check_that(!answer.text.contains("reason"), || answer.text.clone());
    }
    findings.assert_none();
}

async fn the_simplejwt_profile_gives_no_reasons(service: &Service) {
    let mut findings = Findings::default();
    for (what, access, refresh, _) in refused_tokens(service).await {
        let refreshed = service.refresh(&refresh).await;
        findings.check(what, &refreshed, &[401]);
        for answer in
            [service.me(&access).await, refreshed, blacklist(service, &refresh).await, verify(service, &refresh).await]
        {
            findings.check_that(!answer.text.contains("reason"), || format!("{what}: {}", answer.text));
        }
    }
    let name = fresh("reason");
    let pair = service.register_and_login(&name).await;
    let next = TokenPair::of(&service.refresh(&pair.refresh).await);
    let mut answers = vec![service.refresh(&pair.refresh).await, blacklist(service, &next.refresh).await];
    answers.extend([service.refresh(&next.refresh).await, verify(service, &next.refresh).await]);
    service.server().users("deactivate", &name);
    answers.extend([service.me(&next.access).await, service.refresh(&next.refresh).await]);
    service.server().users("delete", &name);
    answers.extend([service.me(&next.access).await, service.refresh(&next.refresh).await]);
    for answer in answers {
        findings.check_that(!answer.text.contains("reason"), || answer.text.clone());
    }
    findings.assert_none();
}

async fn reasons_distinguish_inactive_and_deleted_users(service: &Service) {
    let name = fresh("reason");
    let pair = service.register_and_login(&name).await;
    service.server().users("deactivate", &name);
    let answer = service.me(&pair.access).await;
    assert_reason(&answer, "user_inactive");
    assert_eq!(answer.json()["code"], "user_inactive");
    assert_reason(&service.refresh(&pair.refresh).await, "user_inactive");
    service.server().users("activate", &name);
    service.wait_for_me(&pair.access, 200).await;
    let pair = assert_live(service, &pair).await;
    service.server().users("delete", &name);
    service.wait_for_me(&pair.access, 401).await;
    let answer = service.me(&pair.access).await;
    assert_reason(&answer, "user_not_found");
    assert_eq!(answer.json()["code"], "user_not_found");
    // The token endpoints treat a deleted user like an inactive one.
    let answer = service.refresh(&pair.refresh).await;
    assert_reason(&answer, "user_inactive");
    assert_eq!(answer.json()["detail"], "No active account found for the given token.");
}

/// Kills the server and returns its complete log.
fn kill_and_read_log(server: &mut TestServer) -> String {
    server.kill();
    server.wait();
    server.log()
}

async fn a_retry_within_the_window_is_refused_and_the_session_stays_live() {
    let (mut server, api) = own_server("development", &[LONG_WINDOW]);
    let first = api.register_and_login("alice").await;
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    for _ in 0..3 {
        assert_reason(&api.refresh(&first.refresh).await, "token_spent");
    }
    // Verification does not count as reuse.
    assert_status(&verify(&api, &first.refresh).await, 400);
    // A refresh does not revoke the access token.
    assert_status(&api.me(&first.access).await, 200);
    assert_live(&api, &second).await;
    assert_eq!(kill_and_read_log(&mut server).matches("refresh_token_reused").count(), 0);
}

async fn reuse_outside_the_window_revokes_only_that_session() {
    let (mut server, api) = own_server("development", &[LONG_WINDOW]);
    let (first, other) = (api.register_and_login("alice").await, api.login("alice").await);
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    let third = TokenPair::of(&api.refresh(&second.refresh).await);
    // The window is for the direct predecessor only (SEC-024a).
    let answer = api.refresh(&first.refresh).await;
    assert_reason(&answer, "token_reused");
    assert_eq!(answer.json()["detail"], "Token is blacklisted");
    for pair in [&first, &second, &third] {
        assert_revoked(&api, pair).await;
    }
    assert_live(&api, &other).await;
    assert_eq!(kill_and_read_log(&mut server).matches("refresh_token_reused").count(), 1);
}

async fn without_a_window_any_reuse_revokes_the_session() {
    let (_server, api) = own_server("development", &[NO_WINDOW]);
    let (first, other) = (api.register_and_login("alice").await, api.login("alice").await);
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    assert_reason(&api.refresh(&first.refresh).await, "token_reused");
    assert_revoked(&api, &second).await;
    assert_revoked(&api, &first).await;
    assert_live(&api, &other).await;
}

async fn a_retry_gets_the_same_successor() {
    let (_server, api) = own_server("development", &[LONG_WINDOW, ("AUTH__TOKENS__ON_RETRY", "replay")]);
    let first = api.register_and_login("alice").await;
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    for _ in 0..3 {
        let again = TokenPair::of(&api.refresh(&first.refresh).await);
        assert_eq!(again.refresh, second.refresh);
        assert_status(&api.me(&again.access).await, 200);
    }
    // The successor can be used once; after that its predecessor counts as reused.
    let third = TokenPair::of(&api.refresh(&second.refresh).await);
    assert_ne!(third.refresh, second.refresh);
    assert_eq!(TokenPair::of(&api.refresh(&second.refresh).await).refresh, third.refresh);
    assert_reason(&api.refresh(&first.refresh).await, "token_reused");
    assert_revoked(&api, &third).await;
    // A revoked session gets no replay.
    assert_reason(&api.refresh(&second.refresh).await, "session_revoked");
}

async fn logout_with_a_used_token_revokes_the_session() {
    for profile in ["development", "simplejwt"] {
        let (_server, api) = own_server(profile, &[LONG_WINDOW]);
        let first = api.register_and_login("alice").await;
        let second = TokenPair::of(&api.refresh(&first.refresh).await);
        let third = TokenPair::of(&api.refresh(&second.refresh).await);
        let answer = api.logout(&third.access, json!({"refresh": first.refresh})).await;
        assert_status(&answer, 200);
        assert_eq!(answer.json(), json!({"detail": "Logout successful."}));
        assert_status(&api.refresh(&third.refresh).await, 401);
        assert_status(&api.me(&third.access).await, if profile == "development" { 401 } else { 200 });
        // The session is already revoked, so a second logout with the same token fails.
        let other = api.login("alice").await;
        let answer = api.logout(&other.access, json!({"refresh": first.refresh})).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"error": "Token is blacklisted"}));
    }
}

async fn reasons_can_be_turned_off() {
    let (_server, api) = own_server("development", &[("AUTH__HTTP__ERROR_REASONS", "false")]);
    let pair = api.register_and_login("alice").await;
    assert_status(&api.logout(&pair.access, json!({"all": true})).await, 200);
    for answer in [api.me(&pair.access).await, api.refresh(&pair.refresh).await] {
        assert_status(&answer, 401);
        assert!(!answer.text.contains("reason"), "{}", answer.text);
    }
}

async fn refreshes_do_not_extend_the_absolute_lifetime() {
    let (_server, api) = own_server("development", &[("AUTH__TOKENS__SESSION_MAX_TTL_SECONDS", "1000")]);
    let mut pair = api.register_and_login("alice").await;
    let end = claims_of(&pair.refresh)["exp"].as_i64().unwrap();
    assert_eq!(end - claims_of(&pair.refresh)["iat"].as_i64().unwrap(), 1_000);
    for _ in 0..3 {
        pair = TokenPair::of(&api.refresh(&pair.refresh).await);
        assert_eq!(claims_of(&pair.refresh)["exp"], end);
        assert!(claims_of(&pair.access)["exp"].as_i64().unwrap() <= end);
    }
}
