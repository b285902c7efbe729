//! What the default profile promises beyond SimpleJWT: access tokens die with their login, a stolen refresh token ends
//! it, and the bearer of a well-signed token is told the reason (SEC-020 to SEC-037).

use auth_core::token::{Generation, SessionId, TokenId};
use auth_tests::answers::{Findings, assert_status};
use auth_tests::cases::Once;
use auth_tests::{Answer, PASSWORD, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{Claims, HEADER, claims_of, now, signed_with, some_jti};
use crate::bad_input::shared_servers::{fresh, own_server};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let mut trials = cases![
        servers.development =>
            a_refresh_token_that_was_not_issued_is_refused,
            an_access_token_dies_with_its_logout,
            an_access_token_dies_when_its_login_is_blacklisted,
            every_access_token_dies_with_a_logout_of_all,
            a_logout_of_the_others_keeps_ones_own_login,
            nobody_is_logged_out_by_another,
            a_logout_that_names_nothing_ends_nothing,
            no_reason_is_told_to_forgers,
            inactive_and_deleted_users_are_told_apart_by_their_reasons;
        servers.simplejwt =>
            nobody_is_logged_out_by_another,
            a_logout_that_names_nothing_ends_nothing,
            no_reason_is_told_at_all;
        servers.development_postgres =>
            a_refresh_token_that_was_not_issued_is_refused,
            every_access_token_dies_with_a_logout_of_all];
    trials.extend(cases![Once =>
        a_token_that_comes_back_soon_is_refused_and_the_login_lives,
        a_token_that_comes_back_late_ends_its_login_only,
        without_a_window_the_first_return_ends_the_login,
        a_retry_is_answered_the_same_successor,
        a_logout_with_a_spent_token_of_ones_own_ends_the_login,
        reasons_can_be_turned_off,
        a_login_ends_for_good_however_often_it_is_refreshed,
    ]);
    trials
}

const LONG_WINDOW: (&str, &str) = ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600");
const NO_WINDOW: (&str, &str) = ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0");

/// A decent 401 that tells this reason.
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

/// Looks that nothing of a login is left.
async fn assert_dead(api: &TestClient, pair: &TokenPair) {
    assert_reason(&api.me(&pair.access).await, "session_revoked");
    assert_reason(&api.refresh(&pair.refresh).await, "session_revoked");
    assert_reason(&api.logout(&pair.access, json!({"all": "1"})).await, "session_revoked");
    for token in [&pair.access, &pair.refresh] {
        let answer = verify(api, token).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"non_field_errors": ["Token is blacklisted"]}));
    }
}

/// Looks that a login lives. Its refresh token is spent by that; gives the next pair.
async fn assert_alive(api: &TestClient, pair: &TokenPair) -> TokenPair {
    assert_status(&api.me(&pair.access).await, 200);
    TokenPair::of(&api.refresh(&pair.refresh).await)
}

async fn a_refresh_token_that_was_not_issued_is_refused(service: &Service) {
    let pair = service.newcomer(&fresh("strict")).await;
    let jti = some_jti();
    let foreign = Claims::of(&pair.refresh).without("sid").without("gen").with("jti", format!("\"{jti}\"")).token();
    assert_reason(&service.refresh(&foreign).await, "session_unknown");
    assert_reason(&blacklist(service, &foreign).await, "session_unknown");
    assert_status(&service.logout(&pair.access, json!({"refresh": foreign})).await, 400);
    // Nor one of a session that is not there.
    let unknown = Claims::of(&pair.refresh).with("sid", format!("\"{jti}\"")).with("jti", format!("\"{jti}\"")).token();
    assert_reason(&service.refresh(&unknown).await, "session_unknown");
    let unknown = Claims::of(&pair.access).with("sid", format!("\"{jti}\"")).token();
    assert_reason(&service.me(&unknown).await, "session_unknown");
    // Nor one of a generation that is still to come.
    let session = claims_of(&pair.refresh)["sid"].as_str().and_then(SessionId::parse).expect("a session");
    let name = TokenId::of_generation(session, Generation::new(1));
    let early = Claims::of(&pair.refresh).with("gen", 1).with("jti", format!("\"{}\"", name.as_str())).token();
    assert_reason(&service.refresh(&early).await, "token_never_issued");
    assert_alive(service, &pair).await;
}

async fn an_access_token_dies_with_its_logout(service: &Service) {
    for key in ["refresh", "refresh_token"] {
        let name = fresh("strict");
        let (gone, other) = (service.newcomer(&name).await, service.login(&name).await);
        assert_status(&service.logout(&gone.access, json!({key: gone.refresh})).await, 200);
        assert_dead(service, &gone).await;
        // One login may end another of the same user.
        let third = service.login(&name).await;
        assert_status(&service.logout(&other.access, json!({key: third.refresh})).await, 200);
        assert_dead(service, &third).await;
        assert_alive(service, &other).await;
    }
}

async fn an_access_token_dies_when_its_login_is_blacklisted(service: &Service) {
    let name = fresh("strict");
    let (gone, other) = (service.newcomer(&name).await, service.login(&name).await);
    assert_status(&blacklist(service, &gone.refresh).await, 200);
    assert_dead(service, &gone).await;
    assert_reason(&blacklist(service, &gone.refresh).await, "session_revoked");
    assert_alive(service, &other).await;
}

async fn every_access_token_dies_with_a_logout_of_all(service: &Service) {
    for all in [json!(true), json!("1"), json!(1), json!("yes")] {
        let (name, bystander) = (fresh("strict"), service.newcomer(&fresh("strict")).await);
        let logins = [service.newcomer(&name).await, service.login(&name).await, service.login(&name).await];
        // A token of no session, issued before.
        let foreign = Claims::of(&logins[0].access).without("sid").with("iat", now()).token();
        assert_status(&service.me(&foreign).await, 200);
        assert_status(&service.logout(&logins[0].access, json!({"all": all})).await, 200);
        for login in &logins {
            assert_dead(service, login).await;
        }
        assert_reason(&service.me(&foreign).await, "session_revoked");
        assert_alive(service, &bystander).await;
        // It is no lock-out.
        assert_alive(service, &service.login(&name).await).await;
    }
}

async fn a_logout_of_the_others_keeps_ones_own_login(service: &Service) {
    let (name, bystander) = (fresh("strict"), service.newcomer(&fresh("strict")).await);
    let (own, others) = (service.newcomer(&name).await, [service.login(&name).await, service.login(&name).await]);
    assert_status(&service.logout(&own.access, json!({"others": true})).await, 200);
    for other in &others {
        assert_dead(service, other).await;
    }
    let own = assert_alive(service, &own).await;
    assert_alive(service, &bystander).await;
    // Twice is harmless.
    assert_status(&service.logout(&own.access, json!({"others": true})).await, 200);
    let own = assert_alive(service, &own).await;
    // A token of no session has no others.
    let foreign = Claims::of(&own.access).without("sid").token();
    let other = service.login(&name).await;
    let answer = service.logout(&foreign, json!({"others": true})).await;
    findings_of_foreign(&answer);
    assert_alive(service, &other).await;
}

/// Such a token may be one from before the logout, or one without a session: either way nothing is ended.
#[track_caller]
fn findings_of_foreign(answer: &Answer) {
    let mut findings = Findings::default();
    findings.check("others, by a token of no session", answer, &[400, 401]);
    findings.close();
}

async fn nobody_is_logged_out_by_another(service: &Service) {
    let (victim, attacker) = (service.newcomer(&fresh("victim")).await, service.newcomer(&fresh("attacker")).await);
    for key in ["refresh", "refresh_token"] {
        let answer = service.logout(&attacker.access, json!({key: victim.refresh})).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"error": "Token is invalid"}));
    }
    // Not with a spent one either.
    let next = assert_alive(service, &victim).await;
    assert_status(&service.logout(&attacker.access, json!({"refresh": victim.refresh})).await, 400);
    for body in
        [json!({"all": "1", "refresh": next.refresh}), json!({"all": "1", "user_id": 1, "username": "victim0000"})]
    {
        let attacker = service.newcomer(&fresh("attacker")).await;
        assert_status(&service.logout(&attacker.access, body).await, 200);
    }
    assert_status(&service.me(&victim.access).await, 200);
    assert_alive(service, &next).await;
}

async fn a_logout_that_names_nothing_ends_nothing(service: &Service) {
    let name = fresh("strict");
    let (own, other) = (service.newcomer(&name).await, service.login(&name).await);
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
        findings.note(answer.json()["error"].is_string(), || format!("{body}: {}", answer.text));
        findings.check(format!("alive after {body}"), &verify(service, &other.refresh).await, &[200]);
        findings.check(format!("alive after {body}"), &verify(service, &own.refresh).await, &[200]);
    }
    // As a form, where everything is text; and without credentials, where nothing is read.
    for form in [vec![("all", "0")], vec![("all", "false")], vec![("all", "1"), ("all", "0")], vec![]] {
        let request = service.http.post(format!("{}/api/logout/", service.url)).bearer_auth(&own.access).form(&form);
        findings.check(format!("{form:?}"), &Answer::of(request.send().await.unwrap()).await, &[400]);
    }
    let answer = service.post("/api/logout/", None, json!({"all": "1", "refresh": own.refresh})).await;
    findings.check("nobody", &answer, &[401]);
    findings.close();
    assert_alive(service, &own).await;
    assert_alive(service, &other).await;
}

/// A table of tokens that are not accepted, each with its reason.
async fn refused_tokens(service: &Service) -> Vec<(&'static str, String, String, &'static str)> {
    let pair = service.newcomer(&fresh("reason")).await;
    let (access, refresh) = (Claims::of(&pair.access), Claims::of(&pair.refresh));
    let both = |what, change: &dyn Fn(&Claims) -> Claims, reason| {
        (what, change(&access).token(), change(&refresh).token(), reason)
    };
    vec![
        both("expired", &|claims| claims.with("exp", now() - 1), "token_expired"),
        both("malformed", &|claims| claims.with("exp", "\"soon\""), "token_malformed"),
        both("without exp", &|claims| claims.without("exp"), "token_malformed"),
        both("without jti", &|claims| claims.without("jti"), "token_malformed"),
        both("without kind", &|claims| claims.without("token_type"), "token_malformed"),
        both("of another kind", &|claims| claims.with("token_type", "\"sliding\""), "token_wrong_type"),
    ]
}

async fn no_reason_is_told_to_forgers(service: &Service) {
    let mut findings = Findings::default();
    for (what, access, refresh, reason) in refused_tokens(service).await {
        let forged = |token: &str| {
            let claims = Value::Object(claims_of(token)).to_string();
            signed_with(b"another-key-another-key-another-key", HEADER, claims)
        };
        for (place, right, wrong) in [
            ("me", service.me(&access).await, service.me(&forged(&access)).await),
            ("refresh", service.refresh(&refresh).await, service.refresh(&forged(&refresh)).await),
            ("blacklist", blacklist(service, &refresh).await, blacklist(service, &forged(&refresh)).await),
        ] {
            findings.check(format!("{what} at {place}"), &right, &[401]);
            findings.note(right.json()["reason"] == reason, || format!("{what} at {place}: {}", right.text));
            findings.check(format!("{what}, forged, at {place}"), &wrong, &[401]);
            findings.note(!wrong.text.contains("reason"), || format!("{what}, forged, at {place}: {}", wrong.text));
        }
    }
    // Nor for no token, or something that is none.
    for answer in [
        service.me("abc").await,
        service.me("a.b.c").await,
        service.refresh("abc").await,
        verify(service, "a.b.c").await,
        service.post("/api/logout/", None, json!({})).await,
        service.post("/api/token/", None, json!({"username": "nobody", "password": PASSWORD})).await,
    ] {
        findings.check("no token", &answer, &[401]);
        findings.note(!answer.text.contains("reason"), || answer.text.clone());
    }
    findings.close();
}

async fn no_reason_is_told_at_all(service: &Service) {
    let mut findings = Findings::default();
    for (what, access, refresh, _) in refused_tokens(service).await {
        for answer in [
            service.me(&access).await,
            service.refresh(&refresh).await,
            blacklist(service, &refresh).await,
            verify(service, &refresh).await,
        ] {
            findings.note(!answer.text.contains("reason"), || format!("{what}: {}", answer.text));
        }
    }
    let name = fresh("reason");
    let pair = service.newcomer(&name).await;
    let next = TokenPair::of(&service.refresh(&pair.refresh).await);
    let mut answers = vec![service.refresh(&pair.refresh).await, blacklist(service, &next.refresh).await];
    answers.extend([service.refresh(&next.refresh).await, verify(service, &next.refresh).await]);
    service.server().users("deactivate", &name);
    answers.extend([service.me(&next.access).await, service.refresh(&next.refresh).await]);
    service.server().users("delete", &name);
    answers.extend([service.me(&next.access).await, service.refresh(&next.refresh).await]);
    for answer in answers {
        findings.note(!answer.text.contains("reason"), || answer.text.clone());
    }
    findings.close();
}

async fn inactive_and_deleted_users_are_told_apart_by_their_reasons(service: &Service) {
    let name = fresh("reason");
    let pair = service.newcomer(&name).await;
    service.server().users("deactivate", &name);
    let answer = service.me(&pair.access).await;
    assert_reason(&answer, "user_inactive");
    assert_eq!(answer.json()["code"], "user_inactive");
    assert_reason(&service.refresh(&pair.refresh).await, "user_inactive");
    service.server().users("activate", &name);
    service.me_becomes(&pair.access, 200).await;
    let pair = assert_alive(service, &pair).await;
    service.server().users("delete", &name);
    service.me_becomes(&pair.access, 401).await;
    let answer = service.me(&pair.access).await;
    assert_reason(&answer, "user_not_found");
    assert_eq!(answer.json()["code"], "user_not_found");
    // At the token endpoints a deleted user is like an inactive one.
    let answer = service.refresh(&pair.refresh).await;
    assert_reason(&answer, "user_inactive");
    assert_eq!(answer.json()["detail"], "No active account found for the given token.");
}

/// All that a server wrote. It has ended then.
fn whole_log(server: &mut TestServer) -> String {
    server.kill();
    server.wait();
    server.log()
}

async fn a_token_that_comes_back_soon_is_refused_and_the_login_lives() {
    let (mut server, api) = own_server("development", &[LONG_WINDOW]);
    let first = api.newcomer("alice").await;
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    for _ in 0..3 {
        assert_reason(&api.refresh(&first.refresh).await, "token_spent");
    }
    // To ask about it is no accusation.
    assert_status(&verify(&api, &first.refresh).await, 400);
    // An access token is not spent by a refresh.
    assert_status(&api.me(&first.access).await, 200);
    assert_alive(&api, &second).await;
    assert_eq!(whole_log(&mut server).matches("refresh_token_reused").count(), 0);
}

async fn a_token_that_comes_back_late_ends_its_login_only() {
    let (mut server, api) = own_server("development", &[LONG_WINDOW]);
    let (first, other) = (api.newcomer("alice").await, api.login("alice").await);
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    let third = TokenPair::of(&api.refresh(&second.refresh).await);
    // The window is for the direct predecessor only (SEC-024a).
    let answer = api.refresh(&first.refresh).await;
    assert_reason(&answer, "token_reused");
    assert_eq!(answer.json()["detail"], "Token is blacklisted");
    for pair in [&first, &second, &third] {
        assert_dead(&api, pair).await;
    }
    assert_alive(&api, &other).await;
    assert_eq!(whole_log(&mut server).matches("refresh_token_reused").count(), 1);
}

async fn without_a_window_the_first_return_ends_the_login() {
    let (_server, api) = own_server("development", &[NO_WINDOW]);
    let (first, other) = (api.newcomer("alice").await, api.login("alice").await);
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    assert_reason(&api.refresh(&first.refresh).await, "token_reused");
    assert_dead(&api, &second).await;
    assert_dead(&api, &first).await;
    assert_alive(&api, &other).await;
}

async fn a_retry_is_answered_the_same_successor() {
    let (_server, api) = own_server("development", &[LONG_WINDOW, ("AUTH__TOKENS__ON_RETRY", "replay")]);
    let first = api.newcomer("alice").await;
    let second = TokenPair::of(&api.refresh(&first.refresh).await);
    for _ in 0..3 {
        let again = TokenPair::of(&api.refresh(&first.refresh).await);
        assert_eq!(again.refresh, second.refresh);
        assert_status(&api.me(&again.access).await, 200);
    }
    // The successor is spent once, by whoever comes first, and then its predecessor is a stolen token.
    let third = TokenPair::of(&api.refresh(&second.refresh).await);
    assert_ne!(third.refresh, second.refresh);
    assert_eq!(TokenPair::of(&api.refresh(&second.refresh).await).refresh, third.refresh);
    assert_reason(&api.refresh(&first.refresh).await, "token_reused");
    assert_dead(&api, &third).await;
    // What has ended is not answered again.
    assert_reason(&api.refresh(&second.refresh).await, "session_revoked");
}

async fn a_logout_with_a_spent_token_of_ones_own_ends_the_login() {
    for profile in ["development", "simplejwt"] {
        let (_server, api) = own_server(profile, &[LONG_WINDOW]);
        let first = api.newcomer("alice").await;
        let second = TokenPair::of(&api.refresh(&first.refresh).await);
        let third = TokenPair::of(&api.refresh(&second.refresh).await);
        let answer = api.logout(&third.access, json!({"refresh": first.refresh})).await;
        assert_status(&answer, 200);
        assert_eq!(answer.json(), json!({"detail": "Logout successful."}));
        assert_status(&api.refresh(&third.refresh).await, 401);
        assert_status(&api.me(&third.access).await, if profile == "development" { 401 } else { 200 });
        // A second logout by the same token finds nothing left.
        let other = api.login("alice").await;
        let answer = api.logout(&other.access, json!({"refresh": first.refresh})).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"error": "Token is blacklisted"}));
    }
}

async fn reasons_can_be_turned_off() {
    let (_server, api) = own_server("development", &[("AUTH__HTTP__ERROR_REASONS", "false")]);
    let pair = api.newcomer("alice").await;
    assert_status(&api.logout(&pair.access, json!({"all": true})).await, 200);
    for answer in [api.me(&pair.access).await, api.refresh(&pair.refresh).await] {
        assert_status(&answer, 401);
        assert!(!answer.text.contains("reason"), "{}", answer.text);
    }
}

async fn a_login_ends_for_good_however_often_it_is_refreshed() {
    let (_server, api) = own_server("development", &[("AUTH__TOKENS__SESSION_MAX_TTL_SECONDS", "1000")]);
    let mut pair = api.newcomer("alice").await;
    let end = claims_of(&pair.refresh)["exp"].as_i64().unwrap();
    assert_eq!(end - claims_of(&pair.refresh)["iat"].as_i64().unwrap(), 1_000);
    for _ in 0..3 {
        pair = TokenPair::of(&api.refresh(&pair.refresh).await);
        assert_eq!(claims_of(&pair.refresh)["exp"], end);
        assert!(claims_of(&pair.access)["exp"].as_i64().unwrap() <= end);
    }
}
