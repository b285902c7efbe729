//! SMTP sessions over TLS, with generated certificates.

use std::collections::HashMap;
use std::sync::Arc;

use auth_accounts::email::EmailKind;
use auth_accounts::ports::{EmailError, Mailer};
use auth_mail::{Setting, SmtpMailer, SmtpOptions, SmtpPassword, SmtpTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use crate::mock_smtp::{Received, Reply, Script, start};
use crate::{composer, email};

/// A certificate authority, and a folder with its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Returns a TLS acceptor for a server with a certificate for `name`.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

async fn send(tls: SmtpTls, script: Script, trusted: &Authority) -> (Result<(), EmailError>, Received) {
    let (address, received) = start(Script { is_implicit: tls == SmtpTls::Implicit, ..script }).await;
    let mut options = SmtpOptions::new("localhost", tls);
    options.port = Some(address.port());
    options.login = Some(("mailer".to_owned(), SmtpPassword::new("secret")));
    options.ca_file = Some(trusted.folder.path().join("ca.pem"));
    let mailer = SmtpMailer::new(composer(), options).unwrap();
    (mailer.send(&email(EmailKind::PasswordReset)).await, received)
}

const BOTH: [SmtpTls; 2] = [SmtpTls::Implicit, SmtpTls::StartTls];

#[tokio::test]
async fn logs_in_and_delivers_over_tls() {
    let authority = Authority::new("ours");
    for tls in BOTH {
        let script = Script { tls: Some(authority.acceptor("localhost")), ..Script::default() };
        let (outcome, received) = send(tls, script, &authority).await;
        assert_eq!(outcome, Ok(()), "{tls:?}");
        let lines = received.lines();
        let secure = lines.iter().position(|line| line == "[TLS]").unwrap();
        let position = |command: &str| lines.iter().position(|line| line.starts_with(command)).unwrap();
        assert!(secure < position("AUTH") && secure < position("MAIL"), "{lines:#?}");
    }
}

#[tokio::test]
async fn sends_nothing_to_a_server_with_an_invalid_certificate() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    for tls in BOTH {
        for (acceptor, reason) in
            [(other.acceptor("localhost"), "UnknownIssuer"), (authority.acceptor("mail.example"), "not valid for name")]
        {
            let script = Script { tls: Some(acceptor), ..Script::default() };
            let (outcome, received) = send(tls, script, &authority).await;
            let Err(EmailError::Temporary(message)) = outcome else { panic!("{tls:?}: {outcome:?}") };
            assert!(message.contains(reason), "{tls:?}: {message}");
            assert!(!received.has("AUTH") && !received.has("MAIL"), "{:#?}", received.lines());
        }
    }
}

#[tokio::test]
async fn sends_neither_password_nor_email_without_starttls() {
    let authority = Authority::new("ours");
    for (command, reply) in [
        ("EHLO", "250-mail.test\r\n250 AUTH PLAIN LOGIN"),
        ("STARTTLS", "454 TLS not available"),
        ("STARTTLS", "502 what?"),
    ] {
        let script = Script { replies: HashMap::from([(command, Reply::Line(reply))]), ..Script::default() };
        let (outcome, received) = send(SmtpTls::StartTls, script, &authority).await;
        assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{reply}: {outcome:?}");
        assert!(!received.has("AUTH") && !received.has("MAIL"), "{:#?}", received.lines());
    }
}

/// RFC 3207 §4.2: replies injected before TLS must not be taken for replies over TLS.
#[tokio::test]
async fn discards_replies_injected_before_tls() {
    let authority = Authority::new("ours");
    let forged = "220 go ahead\r\n250-forged\r\n250 AUTH PLAIN\r\n235 forged\r\n250 forged\r\n250 forged\r\n354 forged\r\n250 forged";
    let script = Script {
        tls: Some(authority.acceptor("localhost")),
        replies: HashMap::from([("STARTTLS", Reply::Line(forged))]),
        ..Script::default()
    };
    let (outcome, received) = send(SmtpTls::StartTls, script, &authority).await;
    assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{outcome:?}");
    assert!(!received.has("[TLS]") && !received.has("MAIL"), "{:#?}", received.lines());
}

#[tokio::test]
async fn sends_nothing_to_a_server_without_tls() {
    let authority = Authority::new("ours");
    let (address, received) = start(Script::default()).await;
    let mut options = SmtpOptions::new("localhost", SmtpTls::Implicit);
    options.port = Some(address.port());
    options.ca_file = Some(authority.folder.path().join("ca.pem"));
    let outcome = SmtpMailer::new(composer(), options).unwrap().send(&email(EmailKind::PasswordReset)).await;
    assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{outcome:?}");
    assert!(!received.has("MAIL"));
}

#[test]
fn rejects_a_file_without_certificates() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    std::fs::write(folder.path().join("broken.pem"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
        .unwrap();
    for name in ["absent.pem", "empty.pem", "broken.pem"] {
        let mut options = SmtpOptions::new("mail.example", SmtpTls::Implicit);
        options.ca_file = Some(folder.path().join(name));
        let error = SmtpMailer::new(composer(), options).unwrap_err();
        assert_eq!(error.setting, Setting::SmtpCaFile);
        assert!(error.why.contains(name), "{error}");
    }
}
