//! Header and HTML injection through names, email addresses and user agents.

use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, TokenPair, cases};
use libtest_mimic::Trial;
use mail_parser::{Message, MessageParser};
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD};
use crate::email::password_reset::{RESET, all_delivered};

const ALICE: &str = "alice@example.com";
/// A header injection with a second recipient.
const INJECTION: &str = "Al\r\nBcc: eve@example.com\r\nSubject: Won\r\n\r\n<b>You won</b>";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            the_user_agent_is_escaped,
            emails_support_names_in_any_script_and_length;
        servers.optional =>
            emails_contain_no_links_from_names;
        OnSqlite =>
            refuses_names_with_control_characters,
            a_stored_name_with_line_breaks_becomes_one_line,
            stored_addresses_with_two_recipients_get_no_emails,
    ]
}

impl Fixture {
    async fn register_as(&self, username: &str, first_name: &str) -> Answer {
        let body = json!({
            "username": self.own(username), "email": self.own(ALICE), "first_name": first_name, "password": PASSWORD, "password2": PASSWORD,
        });
        self.post("/api/register/", body).await
    }

    async fn receive_reset(&self) -> ReceivedEmail {
        assert_eq!(self.request_reset(ALICE).await.status, 202);
        self.wait_for_subject(ALICE, RESET).await
    }
}

/// Panics unless this is one email to one recipient with one subject.
#[track_caller]
fn assert_well_formed(fixture: &Fixture, received: &ReceivedEmail) {
    assert_eq!(received.to, [ALICE]);
    let message = MessageParser::default().parse(received.raw.as_bytes()).expect("a message");
    let count = |message: &Message<'_>, name: &str| {
        message.headers().iter().filter(|header| header.name().eq_ignore_ascii_case(name)).count()
    };
    for (name, expected) in [
        ("To", 1),
        ("From", 1),
        ("Subject", 1),
        ("Message-ID", 1),
        ("Date", 1),
        ("Content-Type", 1),
        ("Bcc", 0),
        ("Cc", 0),
        ("Reply-To", 0),
        ("Sender", 0),
    ] {
        assert_eq!(count(&message, name), expected, "{name} in {}", received.raw);
    }
    let to: Vec<_> = message.to().expect("a recipient").iter().filter_map(|to| to.address()).collect();
    assert_eq!(to, [fixture.own(ALICE)]);
    assert_eq!((message.text_body_count(), message.html_body_count(), message.attachment_count()), (1, 1, 0));
    assert!(received.raw.lines().all(|line| line.len() <= 998), "{}", received.raw);
    assert!(!received.raw.replace("\r\n", "").contains(['\r', '\n', '\0']), "{:?}", received.raw);
}

async fn refuses_names_with_control_characters(database: Database) {
    let fixture = Fixture::of(database);
    for name in [INJECTION, "Al\nBo", "Al\rBo", "Al\u{0}Bo", "Al\u{7f}Bo", "Al\u{85}Bo"] {
        let answer = fixture.register_as("alice", name).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.text);
        assert!(answer.json()["first_name"].is_array(), "{}", answer.text);
        let answer = fixture.register_as(&name.replace(' ', ""), "Al").await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.text);
        assert!(answer.json()["username"].is_array(), "{}", answer.text);
    }
    let pair = {
        assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
        fixture.login("alice").await
    };
    for field in ["first_name", "last_name", "username", "email"] {
        let answer = fixture.patch_me(&pair.access, json!({field: format!("al@example.com{INJECTION}")})).await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.text);
    }
    assert_eq!(all_delivered(&fixture).await.len(), 0);
}

async fn a_stored_name_with_line_breaks_becomes_one_line(database: Database) {
    let fixture = Fixture::of(database);
    assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
    fixture.mark_verified("alice");
    let name = INJECTION.replace('\'', "''");
    fixture.database.execute(&format!("UPDATE users SET first_name = '{name}', username = 'al' || '{name}'"));
    let message = fixture.receive_reset().await;
    assert_well_formed(&fixture, &message);
    let line = "Al Bcc: eve@example.com Subject: Won <b>You won</b>";
    // Names are stripped of anything that looks like a link.
    let greeting = line.replace("eve@example.com", "[...]");
    assert!(message.text.contains(&format!("Hello {greeting},")), "{}", message.text);
    assert!(message.text.contains(&format!("Account: al{greeting}")), "{}", message.text);
    assert!(!message.html.contains("<b>") && message.html.contains("&lt;b&gt;You won&lt;"), "{}", message.html);
    assert!(!message.subject.contains("Won"), "{}", message.subject);
    assert_eq!(fixture.confirm_reset(message.token(), NEW_PASSWORD).await.status, 200);
}

async fn stored_addresses_with_two_recipients_get_no_emails(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let pair = fixture.register_and_login("alice").await;
    let attacks = [
        "alice@example.com, eve@example.com",
        "alice@example.com\r\nBcc: eve@example.com",
        "<eve@example.com>alice@example.com",
        "\"eve@example.com>\"@example.com",
        "alice@example.com>\r\nRCPT TO:<eve@example.com",
    ];
    let mut access = pair.access;
    let passwords = [PASSWORD, NEW_PASSWORD];
    for (n, address) in attacks.into_iter().enumerate() {
        fixture.database.execute(&format!("UPDATE users SET email = '{address}' WHERE username = 'alice'"));
        let (old, new) = (passwords[n % 2], passwords[(n + 1) % 2]);
        access = TokenPair::of(&fixture.change_password(&access, old, new).await).access;
    }
    assert_eq!(all_delivered(&fixture).await.len(), 0);
    let list = fixture.server.run(["outbox", "list", "--failed"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert_eq!(list.lines().count(), 1 + attacks.len(), "{list}");
    assert_eq!(list.matches("not a valid email address:").count(), attacks.len(), "{list}");
}

async fn the_user_agent_is_escaped(fixture: Fixture) {
    assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
    fixture.mark_verified("alice");
    let agent = r#"Moz"illa' <script>alert(1)</script> <img src=x onerror=y> {{ link }} {% include "x" %} & {{7*7}}"#;
    let request =
        fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url)).header("User-Agent", agent);
    assert_eq!(request.json(&json!({"email": fixture.own(ALICE)})).send().await.unwrap().status(), 202);
    let message = fixture.wait_for_nth(ALICE, 1).await;
    assert_well_formed(&fixture, &message);
    assert!(message.text.contains(&format!("Program: {agent}")), "{}", message.text);
    for tag in ["<script", "<img"] {
        assert!(!message.html.contains(tag), "{tag} in {}", message.html);
    }
    for text in ["&lt;script&gt;alert(1)&lt;", "&lt;img src=x onerror=y&gt;", "{{ link }}", "&amp; {{7*7}}"] {
        assert!(message.html.contains(text), "no {text} in {}", message.html);
    }
    // The link token appears only in the link.
    assert_eq!(message.text.matches(message.token()).count(), 1);
    // Longer than a line of an email may be, and not representable in one.
    let odd = [b"x".repeat(4_000), b"caf\xc3\xa9 \xff\xfe".to_vec()];
    for (n, agent) in odd.into_iter().enumerate() {
        fixture.age_codes("alice", 300);
        let request =
            fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url)).header("User-Agent", agent);
        assert_eq!(request.json(&json!({"email": fixture.own(ALICE)})).send().await.unwrap().status(), 202);
        assert_well_formed(&fixture, &fixture.wait_for_nth(ALICE, n + 2).await);
    }
}

async fn emails_support_names_in_any_script_and_length(fixture: Fixture) {
    let names = [
        "Zoë".to_owned(),
        "李小龍".to_owned(),
        "نمی‌خواهم".to_owned(),
        "🦀".repeat(150),
        "x".repeat(150),
        "Ünï ".repeat(30),
        "O'Neil \"Bo\" & Söhne <x>".to_owned(),
        "{{ link }}{% raw %}".to_owned(),
        "=?utf-8?q?Won?=".to_owned(),
        ".".to_owned(),
    ];
    assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
    fixture.mark_verified("alice");
    let pair = fixture.login("alice").await;
    let (mut access, passwords) = (pair.access, [PASSWORD, NEW_PASSWORD]);
    for (n, name) in names.iter().enumerate() {
        let renamed = fixture.patch_me(&access, json!({"first_name": name})).await;
        assert_eq!(renamed.status, 200, "{name}: {}", renamed.text);
        let (old, new) = (passwords[n % 2], passwords[(n + 1) % 2]);
        access = TokenPair::of(&fixture.change_password(&access, old, new).await).access;
        let message = fixture.wait_for_nth(ALICE, n + 1).await;
        assert_well_formed(&fixture, &message);
        let shown = name.trim();
        assert!(message.text.contains(&format!("Hello {shown},")), "{shown} is not in {}", message.text);
        let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(message.html.contains(&format!("Hello {},", escaped.replace('\'', "&#x27;"))), "{}", message.html);
    }
    // A stored name that is longer than the current limit.
    let (name, own) = ("Lorem ipsum ".repeat(2_000), fixture.own_user_ids());
    fixture.database.execute(&format!("UPDATE users SET first_name = '{name}' WHERE id IN ({own})"));
    let message = fixture.receive_reset().await;
    assert_well_formed(&fixture, &message);
    assert!(message.raw.len() < 10_000, "{} bytes", message.raw.len());
}

async fn emails_contain_no_links_from_names(fixture: Fixture) {
    // An attacker registers someone else's email address with a name that advertises a link.
    let registered = fixture.register_as("alice", "You won! https://evil.example/x or evil.example").await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let message = fixture.wait_for_nth(ALICE, 1).await;
    assert_well_formed(&fixture, &message);
    assert!(!message.raw.contains("evil"), "{}", message.raw);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}
