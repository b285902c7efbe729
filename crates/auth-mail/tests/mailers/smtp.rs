//! SMTP sessions without TLS.

use std::collections::HashMap;
use std::time::Duration;

use auth_accounts::email::{EmailContent, EmailKind};
use auth_accounts::ports::{EmailError, Mailer};
use auth_mail::{SmtpMailer, SmtpOptions, SmtpPassword, SmtpTls};

use crate::mock_smtp::{Received, Reply, Script, start};
use crate::{TOKEN, composer, email};

fn script(command: &'static str, reply: Reply) -> Script {
    Script { replies: HashMap::from([(command, reply)]), ..Script::default() }
}

async fn send(script: Script, change: impl FnOnce(&mut SmtpOptions)) -> (Result<(), EmailError>, Received) {
    let (address, received) = start(script).await;
    let mut options = SmtpOptions::new(address.ip().to_string(), SmtpTls::None);
    options.port = Some(address.port());
    options.helo_name = Some("auth.example".to_owned());
    change(&mut options);
    let mailer = SmtpMailer::new(composer(), options).unwrap();
    (mailer.send(&email(EmailKind::PasswordReset)).await, received)
}

#[tokio::test]
async fn an_email_is_delivered() {
    let (outcome, received) = send(Script::default(), |_| ()).await;
    assert_eq!(outcome, Ok(()));
    let lines = received.lines();
    let commands = ["EHLO auth.example", "MAIL FROM:<no-reply@mail.example>", "RCPT TO:<ann@home.example>", "DATA"];
    assert_eq!(lines[..4], commands);
    assert!(lines.contains(&"To: <ann@home.example>".to_owned()), "{lines:#?}");
    assert!(lines.contains(&format!("https://app.example/reset?token={TOKEN}")), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "QUIT");
}

#[tokio::test]
async fn one_mailer_delivers_many_emails() {
    let (address, received) = start(Script::default()).await;
    let mut options = SmtpOptions::new("localhost", SmtpTls::None);
    options.port = Some(address.port());
    let mailer = SmtpMailer::new(composer(), options).unwrap();
    for kind in EmailKind::ALL {
        assert_eq!(mailer.send(&email(*kind)).await, Ok(()));
    }
    assert_eq!(received.lines().iter().filter(|line| *line == "QUIT").count(), EmailKind::ALL.len());
}

#[tokio::test]
async fn logs_in_before_delivery() {
    let login = |options: &mut SmtpOptions| options.login = Some(("mailer".to_owned(), SmtpPassword::new("secret")));
    let (outcome, received) = send(Script::default(), login).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(received.lines()[1], "AUTH PLAIN AG1haWxlcgBzZWNyZXQ=");
}

#[tokio::test]
async fn only_permanent_rejections_of_recipient_or_content_are_permanent() {
    let login = |options: &mut SmtpOptions| options.login = Some(("mailer".to_owned(), SmtpPassword::new("secret")));
    for (command, reply, is_permanent) in [
        ("CONNECT", "554 no service here", false),
        ("CONNECT", "421 busy", false),
        ("CONNECT", "this is not a mail server", false),
        ("EHLO", "550 go away", false),
        ("EHLO", "250 mail.test", false),
        ("AUTH", "535 5.7.8 wrong password", false),
        ("AUTH", "454 4.7.0 later", false),
        ("MAIL", "550 5.7.1 not your address", false),
        ("MAIL", "530 5.7.0 log in first", false),
        ("MAIL", "451 later", false),
        ("RCPT", "550 5.1.1 no such user", true),
        ("RCPT", "553 no such name", true),
        ("RCPT", "530 5.7.0 log in first", false),
        ("RCPT", "534 5.7.9 too weak", false),
        ("RCPT", "535 5.7.8 wrong password", false),
        ("RCPT", "538 5.7.11 encrypt first", false),
        ("RCPT", "450 4.2.0 greylisted", false),
        ("RCPT", "452 4.2.2 mailbox full", false),
        ("DATA", "554 no valid recipients", true),
        ("DATA", "451 later", false),
        (".", "554 5.7.1 looks like spam", true),
        (".", "552 too big", true),
        (".", "451 4.3.0 disk full", false),
    ] {
        let (outcome, _) = send(script(command, Reply::Line(reply)), login).await;
        match outcome.unwrap_err() {
            EmailError::Permanent(reason) => assert!(is_permanent, "{command} {reply}: {reason}"),
            EmailError::Temporary(reason) => assert!(!is_permanent, "{command} {reply}: {reason}"),
        }
    }
}

#[tokio::test]
async fn a_closed_connection_is_a_temporary_error() {
    for command in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let (outcome, _) = send(script(command, Reply::Close), |_| ()).await;
        assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{command}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_timeout_is_a_temporary_error() {
    for command in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let (outcome, _) =
            send(script(command, Reply::Silence), |options| options.timeout = Duration::from_millis(300)).await;
        let Err(EmailError::Temporary(reason)) = outcome else { panic!("{command}: {outcome:?}") };
        assert!(reason.ends_with("timed out after 300ms"), "{reason}");
    }
}

#[tokio::test]
async fn errors_after_the_delivery_are_ignored() {
    for reply in [Reply::Close, Reply::Line("500 what?"), Reply::Silence] {
        let (outcome, _) = send(script("QUIT", reply), |_| ()).await;
        assert_eq!(outcome, Ok(()));
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_temporary_error() {
    let (address, _) = start(Script::default()).await;
    let mut options = SmtpOptions::new("127.0.0.2", SmtpTls::None);
    options.port = Some(address.port());
    let outcome = SmtpMailer::new(composer(), options).unwrap().send(&email(EmailKind::PasswordReset)).await;
    let Err(EmailError::Temporary(reason)) = outcome else { panic!("{outcome:?}") };
    assert!(reason.starts_with(&format!("127.0.0.2 port {}: connection: ", address.port())), "{reason}");
}

#[tokio::test]
async fn errors_are_one_short_line_without_content_of_the_email() {
    let long = "550-5.1.1 first\u{1b}[31m line\r\n550 5.1.1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let quoting = "554 5.7.1 blocked: https://app.example/reset?token=00112233445566778899aabbccddeeff";
    for (command, reply, part) in [
        ("RCPT", long, "recipient: 550 5.1.1 first [31m line xxx"),
        ("RCPT", "550 5.1.1 no such user", "recipient: 550 5.1.1 no such user"),
        (".", quoting, "content: 554 5.7.1"),
        (".", "554 blocked", "content: 554"),
    ] {
        let (outcome, _) = send(script(command, Reply::Line(reply)), |_| ()).await;
        let reason = outcome.unwrap_err().to_string();
        assert!(reason.contains(part), "{reason}");
        assert!(reason.chars().count() <= 300 && !reason.contains(char::is_control), "{reason}");
        assert!(!reason.contains("token=") && !reason.contains("blocked"), "{reason}");
    }
}

#[tokio::test]
async fn non_ascii_email_addresses_require_smtputf8() {
    let utf8 = "250-mail.test\r\n250-8BITMIME\r\n250 SMTPUTF8";
    for (to, ehlo, is_accepted, rcpt) in [
        ("ann@b\u{fc}cher.example", "250 mail.test", true, "RCPT TO:<ann@xn--bcher-kva.example>"),
        ("\u{e4}nn@home.example", utf8, true, "RCPT TO:<\u{e4}nn@home.example>"),
        ("\u{e4}nn@home.example", "250 mail.test", false, "RCPT"),
    ] {
        let (address, received) = start(script("EHLO", Reply::Line(ehlo))).await;
        let mut options = SmtpOptions::new("127.0.0.1", SmtpTls::None);
        options.port = Some(address.port());
        let mut email = email(EmailKind::PasswordChanged);
        to.clone_into(&mut email.to);
        let outcome = SmtpMailer::new(composer(), options).unwrap().send(&email).await;
        assert_eq!(outcome.is_ok(), is_accepted, "{to}: {outcome:?}");
        assert_eq!(received.has(rcpt), is_accepted, "{to}");
        assert!(is_accepted || matches!(outcome, Err(EmailError::Permanent(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_email_address_cannot_inject_a_command_or_recipient() {
    for to in [
        "",
        "ann",
        "@home.example",
        "ann@",
        "ann@home.example\r\nRCPT TO:<eve@evil.example>",
        "ann@home.example,eve@evil.example",
        "ann@home.example eve@evil.example",
        "<ann@home.example>",
        "\"ann> <eve\"@home.example",
        "ann@home.example>",
        "a\nb@home.example",
        "Ann <ann@home.example>",
        "ann@home.example\0",
    ] {
        let (address, received) = start(Script::default()).await;
        let mut options = SmtpOptions::new("127.0.0.1", SmtpTls::None);
        options.port = Some(address.port());
        let mut email = email(EmailKind::PasswordChanged);
        to.clone_into(&mut email.to);
        email.content = EmailContent::default();
        let outcome = SmtpMailer::new(composer(), options).unwrap().send(&email).await;
        assert!(matches!(outcome, Err(EmailError::Permanent(_))), "{to:?}: {outcome:?}");
        assert!(!outcome.unwrap_err().to_string().contains(char::is_control));
        assert_eq!(received.lines(), [""; 0], "{to:?}");
    }
}
