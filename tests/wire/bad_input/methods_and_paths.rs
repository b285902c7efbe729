//! Paths and methods: only the documented ones exist, and no trick reaches another one (SEC-090 to SEC-092, SEC-098).

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
            refuses_other_methods_and_lists_the_allowed_ones,
            authenticates_before_checking_the_method,
            refuses_other_spellings_of_a_path,
            redirects_add_only_the_missing_slash,
            redirects_never_lead_to_another_host,
            ignores_headers_that_override_method_or_path,
            answers_do_not_repeat_forwarding_headers,
            ignores_the_query,
            no_answer_has_cors_headers;
        servers.development =>
            refuses_other_methods_and_lists_the_allowed_ones,
            refuses_other_spellings_of_a_path,
            redirects_add_only_the_missing_slash,
            answers_do_not_repeat_forwarding_headers,
            no_answer_has_cors_headers,
    ]
}

/// Sends a raw request with an empty body.
async fn send_raw(service: &Service, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}\r\n");
    exchange(service.server().address(), request).await.unwrap_or_else(|| panic!("no answer to {method} {target}"))
}

fn methods(allow: &str) -> Vec<&str> {
    let mut methods: Vec<_> = allow.split(',').map(str::trim).collect();
    methods.sort_unstable();
    methods
}

async fn refuses_other_methods_and_lists_the_allowed_ones(service: &Service) {
    let bearer = format!("Authorization: Bearer {}\r\n", service.register_and_login(&fresh("route")).await.access);
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
            let answer = send_raw(service, method, endpoint.path(), &bearer).await;
            let row = format!("{method} {}", endpoint.path());
            findings.check(&row, &answer, &[405]);
            let listed = answer.headers.get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            findings.check_that(methods(listed) == allowed, || format!("{row}: Allow: {listed}"));
            let detail = json!({"detail": format!("Method \"{method}\" not allowed.")});
            findings.check_that(answer.json() == detail, || format!("{row}: {}", answer.text));
        }
    }
    findings.assert_none();
}

async fn authenticates_before_checking_the_method(service: &Service) {
    let mut findings = Findings::default();
    for endpoint in standard().iter().filter(|endpoint| *endpoint.required_rule() == Rule::IsAuthenticated) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = send_raw(service, method, endpoint.path(), "").await;
            findings.check(format!("{method} {}", endpoint.path()), &answer, &[401]);
        }
    }
    findings.assert_none();
}

async fn refuses_other_spellings_of_a_path(service: &Service) {
    let bearer = format!("Authorization: Bearer {}\r\n", service.register_and_login(&fresh("route")).await.access);
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
        "/Api/users/me/",
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
        // These only lack the trailing slash, or only carry a query.
        let is_route = ["/api/schema", "/api/users/me/?/../../"].contains(&target);
        for (who, headers) in [("the bearer", bearer.as_str()), ("an anonymous client", "")] {
            let answer = send_raw(service, "GET", target, headers).await;
            let row = format!("{target} for {who}");
            if is_route {
                findings.check_that([200, 308, 401].contains(&answer.status.as_u16()), || {
                    format!("{row}: {}", answer.status)
                });
            } else if target.is_ascii() {
                findings.check(&row, &answer, &[404]);
                findings
                    .check_that(answer.json() == json!({"detail": "Not found."}), || format!("{row}: {}", answer.text));
            } else {
                // Such bytes are invalid in a request line.
                findings
                    .check_that([400, 404].contains(&answer.status.as_u16()), || format!("{row}: {}", answer.status));
            }
        }
    }
    // Requests for the server as a whole, and for a tunnel.
    for (method, target) in [("OPTIONS", "*"), ("GET", "*"), ("CONNECT", "localhost:1"), ("CONNECT", "/api/users/me/")]
    {
        let status = send_raw(service, method, target, &bearer).await.status.as_u16();
        findings.check_that([400, 404, 405].contains(&status), || format!("{method} {target}: {status}"));
    }
    findings.assert_none();
}

async fn redirects_add_only_the_missing_slash(service: &Service) {
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
                let answer = send_raw(service, method, &format!("{path}{query}"), "").await;
                let row = format!("{method} {path}{query}");
                let location = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
                findings.check(&row, &answer, &[308]);
                findings.check_that(location == format!("{path}/{expected}"), || format!("{row}: {location}"));
                findings.check_that(answer.text.is_empty(), || format!("{row}: {}", answer.text));
                findings.check_that(!answer.headers.contains_key("set-cookie"), || format!("{row}: a cookie"));
            }
        }
    }
    findings.assert_none();
    // A client that follows the redirect keeps its method and its body.
    let name = fresh("route");
    service.register_and_login(&name).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let login = json!({"username": name, "password": PASSWORD});
    let response = client.post(format!("{}/api/token?x=1", service.url)).json(&login).send().await.unwrap();
    assert_status(&Answer::of(response).await, 200);
}

async fn redirects_never_lead_to_another_host(service: &Service) {
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
        let answer = send_raw(service, "GET", target, "").await;
        let location = answer.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        findings.check(target, &answer, &[308, 404]);
        findings.check_that(["", "/api/token/"].contains(&location), || format!("{target}: {location}"));
    }
    findings.assert_none();
}

async fn ignores_headers_that_override_method_or_path(service: &Service) {
    let name = fresh("route");
    let access = service.register_and_login(&name).await.access;
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
        findings.check(format!("{header} around the guard"), &Answer::of(request.send().await.unwrap()).await, &[401]);
    }
    let after = service.me(&access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));
    findings.assert_none();
}

async fn answers_do_not_repeat_forwarding_headers(service: &Service) {
    const CLAIMS: &str = "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: evil\r\n\
                          X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Server: evil.example\r\nX-Forwarded-Prefix: /evil\r\n\
                          X-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6;host=evil.example;proto=evil\r\n\
                          Origin: http://evil.example\r\nReferer: http://evil.example/\r\nX-Host: evil.example\r\n\
                          User-Agent: evil\r\nX-Request-Id: evil.example/x y\r\n";
    let name = fresh("route");
    let pair = service.register_and_login(&name).await;
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
        let repeated = ["evil", "6.6.6.6"].into_iter().find(|word| whole.contains(word));
        findings.check_that(repeated.is_none(), || format!("{method} {target} repeats {repeated:?}: {whole}"));
    }
    findings.assert_none();
}

async fn ignores_the_query(service: &Service) {
    let access = service.register_and_login(&fresh("route")).await.access;
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
        let answer = send_raw(service, "GET", &format!("/api/users/me/{query}"), &bearer).await;
        findings.check(query, &answer, &[200]);
        findings.check_that(answer.text == me, || format!("{query}: {}", answer.text));
    }
    let long = format!("/api/users/me/?{}", "x".repeat(60_000));
    let answer =
        exchange(service.server().address(), format!("GET {long} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n"));
    let status = answer.await.expect("an answer").status.as_u16();
    findings.check_that([200, 400, 414, 431].contains(&status), || format!("60,000 characters: {status}"));
    findings.assert_none();
}

async fn no_answer_has_cors_headers(service: &Service) {
    let access = service.register_and_login(&fresh("route")).await.access;
    let mut findings = Findings::default();
    for origin in ["http://evil.example", "null", "http://localhost", "https://localhost:8000", "*", ""] {
        for (method, path, status) in [
            ("OPTIONS", "/api/token/", 200),
            ("OPTIONS", "/api/users/me/", 200),
            ("GET", "/api/users/me/", 200),
            ("POST", "/api/token/", 400),
            ("GET", "/nowhere", 404),
            ("GET", "/api/schema/", 200),
            ("OPTIONS", "/.well-known/jwks.json", 405),
        ] {
            let headers = format!(
                "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization\r\nAuthorization: Bearer {access}\r\n"
            );
            let answer = send_raw(service, method, path, &headers).await;
            findings.check(format!("{method} {path} from {origin:?}"), &answer, &[status]);
            let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            findings.check_that(cors.is_none(), || format!("{method} {path} from {origin:?}: {cors:?}"));
        }
    }
    findings.assert_none();
    assert_answer(&service.post("/nowhere", None, json!({})).await, 404, &json!({"detail": "Not found."}));
}
