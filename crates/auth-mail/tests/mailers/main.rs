//! Tests of the mailers: messages in files, and SMTP sessions with a mock server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]

mod folder;
mod messages;
mod mock_smtp;
mod smtp;
mod templates;
mod tls;

use auth_accounts::email::{EmailContent, EmailKind, Fact, MessageId, UnsealedEmail};
use auth_core::time::UnixTime;
use auth_mail::{Composer, Links, TemplateOptions, Templates};

const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn links() -> Links {
    Links::new("https://app.example", "/reset?token={token}", "/verify?token={token}").unwrap()
}

fn options() -> TemplateOptions {
    TemplateOptions { service_name: "Example".to_owned(), language: "en".to_owned(), folder: None, links: links() }
}

fn composer() -> Composer {
    Composer::new("Example <no-reply@mail.example>", Templates::new(options()).unwrap()).unwrap()
}

/// Returns an email of this kind with the facts that the service adds.
fn email(kind: EmailKind) -> UnsealedEmail {
    let content = EmailContent::default()
        .with(Fact::Username, "ann")
        .with(Fact::FirstName, "Ann")
        .with(Fact::ClientIp, "192.0.2.7")
        .with(Fact::UserAgent, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
    let content = match kind {
        EmailKind::PasswordReset | EmailKind::EmailVerification | EmailKind::EmailChange => {
            content.with(Fact::Token, TOKEN).with(Fact::Minutes, "30")
        }
        EmailKind::EmailChangeRequested | EmailKind::EmailChanged => content.with(Fact::NewEmail, "n***@new.example"),
        EmailKind::SecondFactorCode => content.with(Fact::Code, "123456").with(Fact::Minutes, "10"),
        EmailKind::SecondFactorAdded | EmailKind::SecondFactorRemoved => content.with(Fact::Method, "totp"),
        EmailKind::RecoveryCodeUsed => content.with(Fact::Left, "7"),
        _ => content,
    };
    email_with(kind, content)
}

fn email_with(kind: EmailKind, content: EmailContent) -> UnsealedEmail {
    let caused_at = UnixTime::from_seconds(1_795_567_679);
    UnsealedEmail { id: MessageId::from_bytes([7; 16]), kind, to: "ann@home.example".to_owned(), content, caused_at }
}
