//! Header and HTML injection through names, email addresses and user agents.

use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, ReceivedEmail, TokenPair, cases};
use libtest_mimic::Trial;
use mail_parser::{Message, MessageParser};
use serde_json::json;

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD};
use crate::email::password_reset::{RESET, all_so_far};

const ALICE: &str = "alice@example.com";
/// What would be a header of a mail, and a second recipient.
const INJECTION: &str = "Al\r\nBcc: eve@example.com\r\nSubject: Won\r\n\r\n<b>You won</b>";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            what_a_program_calls_itself_is_text,
            names_of_any_letters_and_any_length_can_be_mailed_to;
        servers.optional =>
            no_link_of_a_strangers_gets_into_a_mail;
        OnSqlite =>
            no_name_with_a_line_break_gets_in,
            a_name_with_a_line_break_that_is_in_is_one_line_of_text,
            an_address_that_is_two_gets_no_mail,
    ]
}

impl Fixture {
    async fn register_as(&self, username: &str, first_name: &str) -> Answer {
        let body = json!({
            "username": self.own(username), "email": self.own(ALICE), "first_name": first_name, "password": PASSWORD, "password2": PASSWORD,
        });
        self.post("/api/register/", body).await
    }

    async fn reset_letter(&self) -> ReceivedEmail {
        assert_eq!(self.forget(ALICE).await.status, 202);
        self.with_subject(ALICE, RESET).await
    }
}

/// Panics unless it is one mail to one person with one subject.
#[track_caller]
fn assert_sound(fixture: &Fixture, received: &ReceivedEmail) {
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

async fn no_name_with_a_line_break_gets_in(database: Database) {
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
    assert_eq!(all_so_far(&fixture).await.len(), 0);
}

async fn a_name_with_a_line_break_that_is_in_is_one_line_of_text(database: Database) {
    let fixture = Fixture::of(database);
    assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
    fixture.mark_verified("alice");
    let name = INJECTION.replace('\'', "''");
    fixture.database.execute(&format!("UPDATE users SET first_name = '{name}', username = 'al' || '{name}'"));
    let message = fixture.reset_letter().await;
    assert_sound(&fixture, &message);
    let line = "Al Bcc: eve@example.com Subject: Won <b>You won</b>";
    // What would be a link is left out of a name.
    let greeting = line.replace("eve@example.com", "[...]");
    assert!(message.text.contains(&format!("Hello {greeting},")), "{}", message.text);
    assert!(message.text.contains(&format!("Account: al{greeting}")), "{}", message.text);
    assert!(!message.html.contains("<b>") && message.html.contains("&lt;b&gt;You won&lt;"), "{}", message.html);
    assert!(!message.subject.contains("Won"), "{}", message.subject);
    assert_eq!(fixture.confirm_reset(message.token(), NEW_PASSWORD).await.status, 200);
}

async fn an_address_that_is_two_gets_no_mail(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0"));
    let pair = fixture.newcomer("alice").await;
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
    assert_eq!(all_so_far(&fixture).await.len(), 0);
    let list = fixture.server.run(["outbox", "list", "--failed"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert_eq!(list.lines().count(), 1 + attacks.len(), "{list}");
    assert_eq!(list.matches("not a valid email address:").count(), attacks.len(), "{list}");
}

async fn what_a_program_calls_itself_is_text(fixture: Fixture) {
    assert_eq!(fixture.register_as("alice", "Al").await.status, 201);
    fixture.mark_verified("alice");
    let agent = r#"Moz"illa' <script>alert(1)</script> <img src=x onerror=y> {{ link }} {% include "x" %} & {{7*7}}"#;
    let request =
        fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url)).header("User-Agent", agent);
    assert_eq!(request.json(&json!({"email": fixture.own(ALICE)})).send().await.unwrap().status(), 202);
    let message = fixture.nth(ALICE, 1).await;
    assert_sound(&fixture, &message);
    assert!(message.text.contains(&format!("Program: {agent}")), "{}", message.text);
    for tag in ["<script", "<img"] {
        assert!(!message.html.contains(tag), "{tag} in {}", message.html);
    }
    for text in ["&lt;script&gt;alert(1)&lt;", "&lt;img src=x onerror=y&gt;", "{{ link }}", "&amp; {{7*7}}"] {
        assert!(message.html.contains(text), "no {text} in {}", message.html);
    }
    // The link stands where it belongs, and nowhere else.
    assert_eq!(message.text.matches(message.token()).count(), 1);
    // Longer than a line of a mail, and nothing that could be written in one.
    let odd = [b"x".repeat(4_000), b"caf\xc3\xa9 \xff\xfe".to_vec()];
    for (n, agent) in odd.into_iter().enumerate() {
        fixture.age_codes("alice", 300);
        let request =
            fixture.client.http.post(format!("{}/api/password-reset/", fixture.client.url)).header("User-Agent", agent);
        assert_eq!(request.json(&json!({"email": fixture.own(ALICE)})).send().await.unwrap().status(), 202);
        assert_sound(&fixture, &fixture.nth(ALICE, n + 2).await);
    }
}

async fn names_of_any_letters_and_any_length_can_be_mailed_to(fixture: Fixture) {
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
        let message = fixture.nth(ALICE, n + 1).await;
        assert_sound(&fixture, &message);
        let shown = name.trim();
        assert!(message.text.contains(&format!("Hello {shown},")), "{shown} is not in {}", message.text);
        let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(message.html.contains(&format!("Hello {},", escaped.replace('\'', "&#x27;"))), "{}", message.html);
    }
    // A name that was longer before there was a limit.
    let (name, own) = ("Lorem ipsum ".repeat(2_000), fixture.own_user_ids());
    fixture.database.execute(&format!("UPDATE users SET first_name = '{name}' WHERE id IN ({own})"));
    let message = fixture.reset_letter().await;
    assert_sound(&fixture, &message);
    assert!(message.raw.len() < 10_000, "{} bytes", message.raw.len());
}

async fn no_link_of_a_strangers_gets_into_a_mail(fixture: Fixture) {
    // Somebody registers the address of another with a name that is an advertisement.
    let registered = fixture.register_as("alice", "You won! https://evil.example/x or evil.example").await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let message = fixture.nth(ALICE, 1).await;
    assert_sound(&fixture, &message);
    assert!(!message.raw.contains("evil"), "{}", message.raw);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}
