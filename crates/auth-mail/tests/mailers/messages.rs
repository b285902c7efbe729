//! The format and content of messages.

use auth_accounts::email::{EmailContent, EmailKind, Fact, UnsealedEmail};
use auth_accounts::ports::Mailer;
use auth_mail::{Composer, FolderMailer, Setting, Templates};
use tempfile::TempDir;

use crate::{TOKEN, composer, email, email_with, options};

const HEADERS: [&str; 9] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
];

/// A parsed message.
struct Message {
    headers: Vec<(String, String)>,
    text: String,
    html: String,
}

/// A folder of emails and the mailer that writes to it.
struct Inbox {
    folder: TempDir,
    mailer: FolderMailer,
}

impl Inbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(composer(), folder.path()).unwrap();
        Self { folder, mailer }
    }

    async fn receive(&self, email: &UnsealedEmail) -> Message {
        self.mailer.send(email).await.unwrap();
        let name = format!("{}-{}-{}.eml", email.caused_at.seconds(), email.kind.name(), email.id);
        let message = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert_eq!(message.matches('\n').count(), message.matches("\r\n").count(), "a bare line feed");
        assert_eq!(message.matches('\r').count(), message.matches("\r\n").count(), "a bare carriage return");
        Message::parse(&message)
    }
}

impl Message {
    fn parse(message: &str) -> Self {
        let (head, body) = message.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let headers = unfolded.split("\r\n").map(|line| line.split_once(": ").unwrap());
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let boundary = unfolded.split_once("boundary=\"").unwrap().1.split('"').next().unwrap();
        let parts: Vec<_> = body.split(&format!("--{boundary}")).map(|part| part.trim_start_matches("\r\n")).collect();
        let [_, text, html, "--\r\n"] = parts[..] else { panic!("{} parts: {message}", parts.len()) };
        let body = |part: &str, kind: &str| {
            let (head, body) = part.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Type: {kind}; charset=\"utf-8\"")), "{head}");
            assert!(head.contains("Content-Transfer-Encoding: 7bit"), "{head}");
            body.replace("\r\n", "\n")
        };
        Self { headers, text: body(text, "text/plain"), html: body(html, "text/html") }
    }

    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[tokio::test]
async fn headers_have_sender_recipient_and_suppress_automatic_replies() {
    let inbox = Inbox::new();
    let message = inbox.receive(&email(EmailKind::PasswordReset)).await;
    assert_eq!(message.names(), HEADERS);
    assert_eq!(message.header("From"), "\"Example\" <no-reply@mail.example>");
    assert_eq!(message.header("To"), "<ann@home.example>");
    assert_eq!(message.header("Subject"), "Set a new password for Example");
    assert_eq!(message.header("Message-ID"), format!("<{}@mail.example>", "07".repeat(16)));
    assert_eq!(message.header("Auto-Submitted"), "auto-generated");
    assert_eq!(message.header("X-Auto-Response-Suppress"), "All");
    assert!(message.header("Date").ends_with("+0000"), "{}", message.header("Date"));
    assert!(message.header("Content-Type").starts_with("multipart/alternative; "));
}

#[tokio::test]
async fn each_email_states_its_purpose() {
    let inbox = Inbox::new();
    for (kind, expected) in [
        (EmailKind::PasswordReset, "It works once, and for 30 minutes."),
        (EmailKind::EmailVerification, "Open this link to show that it is yours"),
        (EmailKind::EmailChange, "is to become the one of an account"),
        (EmailKind::EmailChangeRequested, "n***@new.example"),
        (EmailKind::EmailChanged, "n***@new.example"),
        (EmailKind::SecondFactorCode, "Never share this code"),
        (EmailKind::PasswordChanged, "was changed"),
        (EmailKind::SecondFactorAdded, "an authenticator app"),
        (EmailKind::SecondFactorRemoved, "an authenticator app"),
        (EmailKind::RecoveryCodesReplaced, "new recovery codes"),
        (EmailKind::RecoveryCodeUsed, "There are 7 left."),
        (EmailKind::SessionReused, "change your password"),
    ] {
        let Message { text, html, .. } = &inbox.receive(&email(kind)).await;
        for part in [text, html] {
            let flat = part.replace("&#x2f;", "/").split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(expected), "{kind:?}: {flat}");
            assert!(flat.contains("Hello Ann,"), "{kind:?}: {flat}");
            assert!(flat.contains("2026-11-25 00:47 UTC"), "{kind:?}: {flat}");
            assert!(flat.contains("192.0.2.7") && flat.contains("Firefox/128.0"), "{kind:?}: {flat}");
        }
        assert!(text.lines().all(|line| line.len() <= 200), "{text}");
        assert!(!text.contains("\n\n\n") && !text.contains("{{") && !text.contains("{%"), "{text}");
        assert!(!html.contains("<img") && !html.contains("<script") && !html.contains("<link"), "{html}");
    }
}

#[tokio::test]
async fn the_link_is_on_a_separate_line() {
    let inbox = Inbox::new();
    for (kind, page) in [
        (EmailKind::PasswordReset, "reset"),
        (EmailKind::EmailVerification, "verify"),
        (EmailKind::EmailChange, "verify"),
    ] {
        let Message { text, html, headers } = inbox.receive(&email(kind)).await;
        let link = format!("https://app.example/{page}?token={TOKEN}");
        assert!(text.lines().any(|line| line == link), "{text}");
        assert!(html.replace("&#x2f;", "/").contains(&format!("<a href=\"{link}\"")), "{html}");
        assert!(!format!("{headers:?}").contains(TOKEN));
    }
}

#[tokio::test]
async fn a_code_is_in_the_body_and_not_in_the_subject() {
    let inbox = Inbox::new();
    let Message { text, html, headers } = inbox.receive(&email(EmailKind::SecondFactorCode)).await;
    assert!(text.lines().any(|line| line.trim() == "123456"), "{text}");
    assert!(html.contains(">123456<"), "{html}");
    assert!(!format!("{headers:?}").contains("123456"));
}

#[tokio::test]
async fn untrusted_input_is_neutralised() {
    let inbox = Inbox::new();
    let long = "x".repeat(100_000);
    for input in [
        "Ann\r\nBcc: eve@evil.example",
        "Ann\nSubject: other",
        "Ann\r\n\r\n<b>body</b>",
        "<script>alert(1)</script>",
        "\"><a href='https://evil.example'>",
        "{{ token }}{% include 'layout.txt' %}{{ 7 * 7 }}",
        "Win at https://evil.example now",
        "--\r\n.\r\nQUIT\r\n",
        "=?utf-8?q?=0D=0ABcc:_eve=40evil.example?=",
        long.as_str(),
        "",
    ] {
        for kind in EmailKind::ALL {
            let content = Fact::ALL.iter().fold(EmailContent::default(), |all, fact| all.with(*fact, input));
            // The service generates the token, so its length is not limited here.
            let content = content.with(Fact::Token, input.chars().take(100).collect::<String>());
            let message = inbox.receive(&email_with(*kind, content)).await;
            assert_eq!(message.names(), HEADERS, "{kind:?} {input:?}");
            assert!(message.header("Subject").contains("Example"), "{kind:?}");
            for line in ["Bcc:", "Subject:", "QUIT"] {
                assert!(!message.text.lines().any(|found| found.starts_with(line)), "{kind:?}: {}", message.text);
            }
            let html = message.html.to_lowercase().replace("&#x2f;", "/");
            assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
            let mut anchors = html.split("<a ").skip(1);
            assert!(anchors.all(|anchor| anchor.starts_with("href=\"https://app.example/")), "{html}");
            let body = message.text + &message.html;
            assert!(!body.contains("49") || !input.contains("7 * 7"), "{body}");
            assert!(body.len() < 10_000, "{kind:?}: {} bytes", body.len());
        }
    }
}

#[tokio::test]
async fn links_in_names_and_user_agents_are_removed() {
    let inbox = Inbox::new();
    let content = EmailContent::default()
        .with(Fact::FirstName, "You won: https://evil.example/x www.evil evil.example")
        .with(Fact::UserAgent, "Mozilla/5.0 (+https://evil.example)");
    let Message { text, html, .. } = inbox.receive(&email_with(EmailKind::PasswordChanged, content)).await;
    assert!(
        text.contains("Hello You won: [...] [...] [...],") && text.contains("Program: Mozilla/5.0 [...]"),
        "{text}"
    );
    assert!(!text.contains("evil") && !html.contains("evil"), "{html}");
}

#[tokio::test]
async fn non_ascii_characters_are_encoded() {
    let home = tempfile::tempdir().unwrap();
    let mut options = options();
    options.service_name = "Bücher & Co".to_owned();
    let composer = Composer::new("Bücher & Co <no-reply@bücher.example>", Templates::new(options).unwrap()).unwrap();
    let email = email_with(EmailKind::PasswordChanged, EmailContent::default().with(Fact::FirstName, "Ångström 王"));
    FolderMailer::new(composer, home.path()).unwrap().send(&email).await.unwrap();
    let entry = std::fs::read_dir(home.path()).unwrap().next().unwrap().unwrap();
    let message = std::fs::read(entry.path()).unwrap();
    assert!(message.is_ascii());
    let message = String::from_utf8(message).unwrap();
    assert!(message.contains("<no-reply@xn--bcher-kva.example>"), "{message}");
    assert!(message.contains("=?utf-8?"), "{message}");
    assert!(message.contains("=C3=85ngstr=C3=B6m"), "{message}");
}

#[test]
fn rejects_invalid_senders() {
    let templates = || Templates::new(options()).unwrap();
    for from in ["a@mail.example", "Example <a@mail.example>", "\"Example, Inc.\" <a@mail.example>", "<a@mail.example>"]
    {
        assert!(Composer::new(from, templates()).is_ok(), "{from}");
    }
    for from in [
        "",
        "Example",
        "a@",
        "@mail.example",
        "a@mail.example, b@mail.example",
        "Example <a@mail.example",
        "Ex\r\nBcc: b@x <a@mail.example>",
        "a b@mail.example",
        "ä@mail.example",
    ] {
        assert_eq!(Composer::new(from, templates()).unwrap_err().setting, Setting::From, "{from:?}");
    }
}
