//! Which paths and methods are there, and that no trick opens another one (SEC-090 to SEC-092, SEC-098).

use auth_core::permission::Rule;
use auth_http::routes::standard;
use auth_tests::answers::{Findings, assert_answer, assert_status};
use auth_tests::raw_connection::exchange;
use auth_tests::{Answer, PASSWORD, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            other_methods_are_refused_with_the_ones_there_are,
            a_wrong_method_does_not_hide_that_credentials_are_missing,
            other_spellings_of_a_path_are_no_paths,
            a_missing_slash_is_added_and_nothing_else_changed,
            no_redirection_leads_elsewhere,
            headers_that_override_the_request_are_not_obeyed,
            where_a_request_claims_to_come_from_is_in_no_answer,
            queries_do_not_matter,
            no_origin_is_let_in;
        servers.development =>
            other_methods_are_refused_with_the_ones_there_are,
            other_spellings_of_a_path_are_no_paths,
            a_missing_slash_is_added_and_nothing_else_changed,
            where_a_request_claims_to_come_from_is_in_no_answer,
            no_origin_is_let_in,
    ]
}

/// A request sent as it is, with a length of 0.
async fn ask(service: &Service, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}\r\n");
    exchange(service.server().address(), request).await.unwrap_or_else(|| panic!("no answer to {method} {target}"))
}

fn methods(allow: &str) -> Vec<&str> {
    let mut methods: Vec<_> = allow.split(',').map(str::trim).collect();
    methods.sort_unstable();
    methods
}

async fn other_methods_are_refused_with_the_ones_there_are(service: &Service) {
    let bearer = format!("Authorization: Bearer {}\r\n", service.newcomer(&fresh("route")).await.access);
    let mut findings = Findings::default();
    for endpoint in standard() {
        let allow = endpoint.allow();
        let allowed = methods(&allow);
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LINK", "PROPFIND", "get", "GETX", "X-Y"]
        {
            if allowed.contains(&method) {
                continue;
            }
            let answer = ask(service, method, endpoint.path(), &bearer).await;
            let row = format!("{method} {}", endpoint.path());
            findings.check(&row, &answer, &[405]);
            let told = answer.headers.get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            findings.note(methods(told) == allowed, || format!("{row}: Allow: {told}"));
            let detail = json!({"detail": format!("Method \"{method}\" not allowed.")});
            findings.note(answer.json() == detail, || format!("{row}: {}", answer.text));
        }
    }
    findings.close();
}

async fn a_wrong_method_does_not_hide_that_credentials_are_missing(service: &Service) {
    let mut findings = Findings::default();
    for endpoint in standard().iter().filter(|endpoint| *endpoint.required_rule() == Rule::IsAuthenticated) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = ask(service, method, endpoint.path(), "").await;
            findings.check(format!("{method} {}", endpoint.path()), &answer, &[401]);
        }
    }
    findings.close();
}

async fn other_spellings_of_a_path_are_no_paths(service: &Service) {
    let bearer = format!("Authorization: Bearer {}\r\n", service.newcomer(&fresh("route")).await.access);
    let mut findings = Findings::default();
    for target in [
        "/",
        "/api/",
        "/api",
        "/nowhere",
        "/admin/",
        "/.env",
        "/.git/config",
        "/users/me/",
        "/api/users/",
        "/api/users/1/",
        "/api/users/me/1/",
        "//api/users/me/",
        "/api//users/me/",
        "/api/users//me/",
        "/api/users/me//",
        "///api///users///me///",
        "/./api/users/me/",
        "/api/./users/me/",
        "/api/users/me/.",
        "/api/users/me/./",
        "/api/../api/users/me/",
        "/api/token/../users/me/",
        "/nowhere/../api/users/me/",
        "/api/users/me/..",
        "/api/users/me/../me/",
        "/..",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/%2e%2e/api/users/me/",
        "/api/%2e/users/me/",
        "/api%2fusers%2fme/",
        "/api/users%2fme/",
        "/api/users/me%2f",
        "/api/users/me%2F",
        "/api%5cusers%5cme%5c",
        "/api\\users\\me\\",
        "/api/users/me/;",
        "/api/users/me;/",
        "/api/users/me/;x=1",
        "/api/users;x/me/",
        "/api/users/me/%3bx",
        "/api/users/me/%00",
        "/api/users/me%00/",
        "/api/users/me/%20",
        "/api/users/me%20/",
        "/api/users/me/%0a",
        "/api/users/me/%23",
        "/api/users/me/%3f",
        "/api/users/me/%252f",
        "/API/USERS/ME/",
        "/API/USERS/ME",
        "/api/Token",
        "/api//token",
        "/api/token;",
        "/api/token.json",
        "/TestClient/users/me/",
        "/api/users/Me/",
        "/api/users/me.json",
        "/api/users/me/.json",
        "/api/users/me.json/",
        "/api/users/me.xml",
        "/api/users/me/?/../../",
        "/api/users/m\u{E9}/",
        "/api/users/%EF%BD%8D%EF%BD%85/",
        "/api/users/%FF/",
        "/api/users/me/index.html",
        "/.well-known/jwks.json/",
        "/.well-known/",
        "/healthz/",
        "/HEALTHZ",
        "/readyz/",
        "/api/schema",
        "/api/schema//",
    ] {
        // These lack the slash at their end, or only carry a query.
        let is_route = ["/api/schema", "/api/users/me/?/../../"].contains(&target);
        for (who, headers) in [("the bearer", bearer.as_str()), ("nobody", "")] {
            let answer = ask(service, "GET", target, headers).await;
            let row = format!("{target} for {who}");
            if is_route {
                findings
                    .note([200, 308, 401].contains(&answer.status.as_u16()), || format!("{row}: {}", answer.status));
            } else if target.is_ascii() {
                findings.check(&row, &answer, &[404]);
                findings.note(answer.json() == json!({"detail": "Not found."}), || format!("{row}: {}", answer.text));
            } else {
                // No request line has such bytes.
                findings.note([400, 404].contains(&answer.status.as_u16()), || format!("{row}: {}", answer.status));
            }
        }
    }
    // The query of the server as a whole.
    for (method, target) in [("OPTIONS", "*"), ("GET", "*"), ("CONNECT", "localhost:1"), ("CONNECT", "/api/users/me/")]
    {
        let status = ask(service, method, target, &bearer).await.status.as_u16();
        findings.note([400, 404, 405].contains(&status), || format!("{method} {target}: {status}"));
    }
    findings.close();
}

async fn a_missing_slash_is_added_and_nothing_else_changed(service: &Service) {
    let mut findings = Findings::default();
    for endpoint in standard().iter().filter(|endpoint| endpoint.path().ends_with('/')) {
        let path = endpoint.path().trim_end_matches('/');
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for (query, expected) in [
                ("", ""),
                ("?a=1&b=%2F%20x", "?a=1&b=%2F%20x"),
                ("?next=http://evil.example/", "?next=http://evil.example/"),
                ("?a=%0d%0aSet-Cookie:%20x=y", "?a=%0d%0aSet-Cookie:%20x=y"),
                ("?a?b?c=/", "?a?b?c=/"),
            ] {
                let answer = ask(service, method, &format!("{path}{query}"), "").await;
                let row = format!("{method} {path}{query}");
                let location = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
                findings.check(&row, &answer, &[308]);
                findings.note(location == format!("{path}/{expected}"), || format!("{row}: {location}"));
                findings.note(answer.text.is_empty(), || format!("{row}: {}", answer.text));
                findings.note(!answer.headers.contains_key("set-cookie"), || format!("{row}: a cookie"));
            }
        }
    }
    findings.close();
    // A client that follows it arrives with its method and its body.
    let name = fresh("route");
    service.newcomer(&name).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let login = json!({"username": name, "password": PASSWORD});
    let response = client.post(format!("{}/api/token?x=1", service.url)).json(&login).send().await.unwrap();
    assert_status(&Answer::of(response).await, 200);
}

async fn no_redirection_leads_elsewhere(service: &Service) {
    let mut findings = Findings::default();
    for target in [
        "//evil.example/api/token",
        "///evil.example/api/token",
        "/\\evil.example/api/token",
        "//evil.example/%2e%2e/api/token",
        "/.evil.example/api/token",
        "/%2f%2fevil.example/api/token",
        "/@evil.example/api/token",
        "/api/token@evil.example",
        "http://evil.example/api/token",
        "http://evil.example//evil.example/api/token",
    ] {
        let answer = ask(service, "GET", target, "").await;
        let location = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        findings.check(target, &answer, &[308, 404]);
        findings.note(["", "/api/token/"].contains(&location), || format!("{target}: {location}"));
    }
    findings.close();
}

async fn headers_that_override_the_request_are_not_obeyed(service: &Service) {
    let name = fresh("route");
    let access = service.newcomer(&name).await.access;
    let before = service.me(&access).await.text;
    let mut findings = Findings::default();
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Http-Method-Override", "_method"]
    {
        for over in ["PATCH", "PUT", "patch"] {
            let request =
                service.http.post(format!("{}/api/users/me/?_method={over}", service.url)).bearer_auth(&access);
            let request = request.header(header, over).form(&[("first_name", "Eve"), ("_method", over)]);
            findings.check(format!("{header}: {over}"), &Answer::of(request.send().await.unwrap()).await, &[405]);
        }
        let request = service.http.get(format!("{}/api/token/?_method=POST", service.url)).header(header, "POST");
        findings.check(format!("{header}: POST"), &Answer::of(request.send().await.unwrap()).await, &[405]);
        let request = service.http.get(format!("{}/api/users/me/", service.url)).header(header, "OPTIONS");
        findings.check(format!("{header}: OPTIONS"), &Answer::of(request.send().await.unwrap()).await, &[401]);
    }
    for header in ["X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Path"] {
        let request = service.http.get(format!("{}/nowhere/", service.url)).header(header, "/healthz");
        findings.check(format!("{header} to a path"), &Answer::of(request.send().await.unwrap()).await, &[404]);
        let request = service.http.get(format!("{}/api/users/me/", service.url)).header(header, "/healthz");
        findings.check(format!("{header} past the guard"), &Answer::of(request.send().await.unwrap()).await, &[401]);
    }
    let after = service.me(&access).await.text;
    findings.note(before == after, || format!("the account was {before} and is {after}"));
    findings.close();
}

async fn where_a_request_claims_to_come_from_is_in_no_answer(service: &Service) {
    const CLAIMS: &str = "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: evil\r\n\
                          X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Server: evil.example\r\nX-Forwarded-Prefix: /evil\r\n\
                          X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6;host=evil.example;proto=evil\r\n\
                          Origin: http://evil.example\r\nReferer: http://evil.example/\r\nX-Host: evil.example\r\n\
                          User-Agent: evil\r\nX-Request-Id: evil.example/x y\r\n";
    let name = fresh("route");
    let pair = service.newcomer(&name).await;
    let mut findings = Findings::default();
    let login = json!({"username": name, "password": PASSWORD}).to_string();
    let wrong = json!({"username": name, "password": "evi"}).to_string();
    for (method, target, status, body) in [
        ("GET", "/api/users/me/", 200, ""),
        ("GET", "/api/users/me", 308, ""),
        ("POST", "/api/token/", 200, login.as_str()),
        ("POST", "/api/token/", 401, &wrong),
        ("POST", "/api/token", 308, &login),
        ("POST", "/api/token/", 400, "{"),
        ("DELETE", "/api/token/", 405, ""),
        ("GET", "/nowhere", 404, ""),
        ("OPTIONS", "/api/token/", 200, ""),
        ("GET", "/api/schema/", 200, ""),
        ("GET", "/healthz", 200, ""),
        ("GET", "http://evil.example/api/users/me", 308, ""),
    ] {
        let (bearer, length) = (&pair.access, body.len());
        let request = format!(
            "{method} {target} HTTP/1.1\r\n{CLAIMS}Authorization: Bearer {bearer}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let answer = exchange(service.server().address(), request).await.expect("an answer");
        findings.check(format!("{method} {target}"), &answer, &[status]);
        let whole = format!("{:?} {}", answer.headers, answer.text);
        let is_told = ["evil", "6.6.6.6"].into_iter().find(|word| whole.contains(word));
        findings.note(is_told.is_none(), || format!("{method} {target} tells {is_told:?}: {whole}"));
    }
    findings.close();
}

async fn queries_do_not_matter(service: &Service) {
    let access = service.newcomer(&fresh("route")).await.access;
    let bearer = format!("Authorization: Bearer {access}\r\n");
    let me = service.me(&access).await.text;
    let mut findings = Findings::default();
    for query in [
        "?",
        "??",
        "?&&&",
        "?=",
        "?%",
        "?%zz",
        "?%00",
        "?%ff%fe",
        "?id=1",
        "?id[]=1",
        "?user_id=1",
        "?format=xml",
        "?username=admin",
        "?a=1&a=2",
        "?../../",
        "?%3Cscript%3E",
        "?'",
        "?page=-1",
        "?callback=x",
        "?__proto__[x]=1",
    ] {
        let answer = ask(service, "GET", &format!("/api/users/me/{query}"), &bearer).await;
        findings.check(query, &answer, &[200]);
        findings.note(answer.text == me, || format!("{query}: {}", answer.text));
    }
    let long = format!("/api/users/me/?{}", "x".repeat(60_000));
    let answer =
        exchange(service.server().address(), format!("GET {long} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n"));
    let status = answer.await.expect("an answer").status.as_u16();
    findings.note([200, 400, 414, 431].contains(&status), || format!("60,000 letters: {status}"));
    findings.close();
}

async fn no_origin_is_let_in(service: &Service) {
    let access = service.newcomer(&fresh("route")).await.access;
    let mut findings = Findings::default();
    for origin in ["http://evil.example", "null", "http://localhost", "https://localhost:8000", "*", ""] {
        for (method, path) in [
            ("OPTIONS", "/api/token/"),
            ("OPTIONS", "/api/users/me/"),
            ("GET", "/api/users/me/"),
            ("POST", "/api/token/"),
            ("GET", "/nowhere"),
            ("GET", "/api/schema/"),
            ("OPTIONS", "/.well-known/jwks.json"),
        ] {
            let headers = format!(
                "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization\r\nAuthorization: Bearer {access}\r\n"
            );
            let answer = ask(service, method, path, &headers).await;
            let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            findings.note(cors.is_none(), || format!("{method} {path} from {origin:?}: {cors:?}"));
        }
    }
    findings.close();
    assert_answer(&service.post("/nowhere", None, json!({})).await, 404, &json!({"detail": "Not found."}));
}
