//! Delivery of emails over SMTP (RFC 5321).

mod failure;
mod options;
mod unbuffered;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use auth_accounts::email::UnsealedEmail;
use auth_accounts::ports::{EmailError, Mailer};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::time::timeout;

use self::failure::{Stage, failure, unreachable};
use self::options::QUIT_TIMEOUT;
use self::unbuffered::UnbufferedStream;
use crate::composer::{Composer, Message, now};
use crate::error::{Setting, SetupError};

pub use options::{SmtpOptions, SmtpPassword, SmtpTls};

/// Delivers emails to a mail server. Opens a connection for each email: emails are infrequent, and the server may close
/// idle connections.
///
/// Fails with [`EmailError::Permanent`] if the server permanently rejects the recipient or the content of an email, and
/// with [`EmailError::Temporary`] for all other errors: no connection, no TLS, a failed login, a timeout, 4yz replies.
pub struct SmtpMailer {
    composer: Composer,
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    helo_name: ClientId,
    timeout: Duration,
}

enum Encryption {
    Implicit(TlsParameters),
    StartTls(TlsParameters),
    None,
}

impl SmtpMailer {
    /// Creates a mailer for one server. Reads [`SmtpOptions::ca_file`]; does not connect yet.
    ///
    /// # Errors
    /// [`SetupError`] with the invalid setting.
    pub fn new(composer: Composer, options: SmtpOptions) -> Result<Self, SetupError> {
        options.check()?;
        let encryption = match options.tls {
            SmtpTls::Implicit => Encryption::Implicit(tls_parameters(&options)?),
            SmtpTls::StartTls => Encryption::StartTls(tls_parameters(&options)?),
            SmtpTls::None => Encryption::None,
        };
        Ok(Self {
            composer,
            port: options.port.unwrap_or(options.tls.port()),
            host: options.host,
            encryption,
            credentials: options.login.map(|(name, password)| Credentials::new(name, password.expose().to_owned())),
            helo_name: options.helo_name.as_deref().map_or_else(ClientId::default, client_id),
            timeout: options.timeout,
        })
    }

    /// Connects, starts TLS and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, EmailError> {
        let failed = |stage| move |error: Error| failure(&self.server(), stage, &error);
        // A host may have several IP addresses: one that does not respond leaves time to try the next.
        let connect_timeout = self.timeout / 3;
        let (server, name) = ((self.host.as_str(), self.port), &self.helo_name);
        let connected = match &self.encryption {
            Encryption::Implicit(parameters) => {
                AsyncSmtpConnection::connect_tokio1(server, Some(connect_timeout), name, Some(parameters.clone()), None)
                    .await
            }
            Encryption::None => {
                AsyncSmtpConnection::connect_tokio1(server, Some(connect_timeout), name, None, None).await
            }
            Encryption::StartTls(parameters) => {
                let stream = UnbufferedStream::connect(&self.host, self.port, connect_timeout).await;
                let stream = stream.map_err(|error| unreachable(&self.server(), &error))?;
                start_tls(stream, name, parameters).await
            }
        };
        let mut connection = connected.map_err(failed(Stage::Connection))?;
        if let Some(credentials) = &self.credentials {
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await;
            logged_in.map_err(failed(Stage::Login))?;
        }
        Ok(connection)
    }

    /// Sends a message. Returns `Ok` if the server has accepted it.
    async fn deliver(&self, connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), EmailError> {
        let failed = |stage| move |error: Error| failure(&self.server(), stage, &error);
        let parameters = self.parameters(connection, message)?;
        let from = MailFrom::new(Some(message.from.clone()), parameters);
        connection.command(from).await.map_err(failed(Stage::Sender))?;
        connection.command(Rcpt::new(message.to.clone(), Vec::new())).await.map_err(failed(Stage::Recipient))?;
        connection.command(Data).await.map_err(failed(Stage::Content))?;
        connection.message(&message.bytes).await.map_err(failed(Stage::Content))?;
        Ok(())
    }

    /// Returns the extensions that a message beyond ASCII requires (RFC 6152, RFC 6531).
    ///
    /// # Errors
    /// [`EmailError::Permanent`] if the server does not support them.
    fn parameters(
        &self,
        connection: &AsyncSmtpConnection,
        message: &Message,
    ) -> Result<Vec<MailParameter>, EmailError> {
        if message.bytes.is_ascii() {
            return Ok(Vec::new());
        }
        let supports = |extension| connection.server_info().supports_feature(extension);
        if !(supports(Extension::SmtpUtfEight) && supports(Extension::EightBitMime)) {
            let reason = format!("{}: does not support email addresses with non-ASCII characters", self.server());
            return Err(EmailError::Permanent(reason));
        }
        Ok(vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
    }

    fn server(&self) -> String {
        format!("{} port {}", self.host, self.port)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, email: &UnsealedEmail) -> Result<(), EmailError> {
        let message = self.composer.compose(email, now())?;
        let session = async {
            let mut connection = self.connect().await?;
            let outcome = self.deliver(&mut connection, &message).await;
            Ok((connection, outcome))
        };
        let (mut connection, outcome) = timeout(self.timeout, session).await.unwrap_or_else(|_| {
            Err(EmailError::Temporary(format!("{}: timed out after {:?}", self.server(), self.timeout)))
        })?;
        // The email is accepted or rejected by now, so a failure to quit is ignored.
        let _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
        outcome
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Negotiates TLS on a plaintext connection.
///
/// # Errors
/// If the server does not support STARTTLS, or the handshake fails.
async fn start_tls(
    stream: UnbufferedStream,
    name: &ClientId,
    parameters: &TlsParameters,
) -> Result<AsyncSmtpConnection, Error> {
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), name).await?;
    connection.starttls(parameters.clone(), name).await?;
    Ok(connection)
}

/// Returns the argument of the `EHLO` command: an address literal or a domain (RFC 5321 §4.1.3).
fn client_id(name: &str) -> ClientId {
    match name.parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}

fn tls_parameters(options: &SmtpOptions) -> Result<TlsParameters, SetupError> {
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(file) = &options.ca_file {
        let invalid =
            |reason: &dyn fmt::Display| SetupError::new(Setting::SmtpCaFile, format!("{}: {reason}", file.display()));
        let pem = std::fs::read(file).map_err(|error| invalid(&error))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(invalid(&"does not contain a certificate"));
        }
        let certificates = Certificate::from_pem(&pem).map_err(|error| invalid(&error))?;
        builder = builder.add_root_certificate(certificates);
    }
    builder.build().map_err(|error| SetupError::new(Setting::SmtpTls, error.to_string()))
}
