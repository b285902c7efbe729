//! Mail over SMTP (RFC 5321).

mod careful;
mod failure;
mod options;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use auth_accounts::mail::Mail;
use auth_accounts::ports::{EmailError, Mailer};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::time::timeout;

use self::careful::CarefulStream;
use self::failure::{Stage, failure, unreachable};
use self::options::QUIT_TIME;
use crate::composer::{Composer, Letter, now};
use crate::error::{Setting, SetupError};

pub use options::{SmtpOptions, SmtpPassword, SmtpTls};

/// Hands mails over to a mail server, with a connection for each: mails are few, and a connection that was kept is one that
/// may have been closed.
///
/// A mail is [`Permanent`](EmailError::Permanent)ly refused when the server will not have its recipient or what it says;
/// anything else (no connection, no TLS, no login, no answer in time, 4yz) may pass, or be mended.
pub struct SmtpMailer {
    composer: Composer,
    host: String,
    port: u16,
    protection: Protection,
    credentials: Option<Credentials>,
    hello_name: ClientId,
    timeout: Duration,
}

enum Protection {
    Implicit(TlsParameters),
    Upgrade(TlsParameters),
    None,
}

impl SmtpMailer {
    /// A mailer for one server. Certificates are read here, connections are made when mails are sent.
    pub fn new(composer: Composer, options: SmtpOptions) -> Result<Self, SetupError> {
        options.check()?;
        let protection = match options.tls {
            SmtpTls::Implicit => Protection::Implicit(tls_parameters(&options)?),
            SmtpTls::StartTls => Protection::Upgrade(tls_parameters(&options)?),
            SmtpTls::None => Protection::None,
        };
        Ok(Self {
            composer,
            port: options.port.unwrap_or(options.tls.port()),
            host: options.host,
            protection,
            credentials: options.login.map(|(name, password)| Credentials::new(name, password.expose().to_owned())),
            hello_name: options.helo_name.as_deref().map_or_else(ClientId::default, client_id),
            timeout: options.timeout,
        })
    }

    /// Connects, and gets as far as one may speak of a mail.
    async fn connect(&self) -> Result<AsyncSmtpConnection, EmailError> {
        let failed = |stage| move |error: Error| failure(&self.server(), stage, &error);
        // A name may have several addresses: one that does not answer leaves time for the next.
        let patience = self.timeout / 3;
        let (server, name) = ((self.host.as_str(), self.port), &self.hello_name);
        let connected = match &self.protection {
            Protection::Implicit(parameters) => {
                AsyncSmtpConnection::connect_tokio1(server, Some(patience), name, Some(parameters.clone()), None).await
            }
            Protection::None => AsyncSmtpConnection::connect_tokio1(server, Some(patience), name, None, None).await,
            Protection::Upgrade(parameters) => {
                let stream = CarefulStream::connect(&self.host, self.port, patience).await;
                let stream = stream.map_err(|error| unreachable(&self.server(), &error))?;
                upgraded(stream, name, parameters).await
            }
        };
        let mut connection = connected.map_err(failed(Stage::Connection))?;
        if let Some(credentials) = &self.credentials {
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await;
            logged_in.map_err(failed(Stage::Login))?;
        }
        Ok(connection)
    }

    /// Gives the server a message; `Ok` is its word that it has taken it.
    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<(), EmailError> {
        let failed = |stage| move |error: Error| failure(&self.server(), stage, &error);
        let parameters = self.parameters(connection, letter)?;
        let from = MailFrom::new(Some(letter.from.clone()), parameters);
        connection.command(from).await.map_err(failed(Stage::Sender))?;
        connection.command(Rcpt::new(letter.to.clone(), Vec::new())).await.map_err(failed(Stage::Recipient))?;
        connection.command(Data).await.map_err(failed(Stage::Content))?;
        connection.message(&letter.bytes).await.map_err(failed(Stage::Content))?;
        Ok(())
    }

    /// What the message needs of the server beyond ASCII (RFC 6152, RFC 6531).
    fn parameters(&self, connection: &AsyncSmtpConnection, letter: &Letter) -> Result<Vec<MailParameter>, EmailError> {
        if letter.bytes.is_ascii() {
            return Ok(Vec::new());
        }
        let offers = |extension| connection.server_info().supports_feature(extension);
        if !(offers(Extension::SmtpUtfEight) && offers(Extension::EightBitMime)) {
            let why = format!("{}: takes no address with letters beyond ASCII", self.server());
            return Err(EmailError::Permanent(why));
        }
        Ok(vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
    }

    fn server(&self) -> String {
        format!("{} port {}", self.host, self.port)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), EmailError> {
        let letter = self.composer.compose(mail, now())?;
        let conversation = async {
            let mut connection = self.connect().await?;
            let outcome = self.hand_over(&mut connection, &letter).await;
            Ok((connection, outcome))
        };
        let (mut connection, outcome) = timeout(self.timeout, conversation).await.unwrap_or_else(|_| {
            Err(EmailError::Temporary(format!("{}: no answer within {:?}", self.server(), self.timeout)))
        })?;
        // The mail is theirs or refused by now: whatever becomes of the farewell changes nothing.
        let _ = timeout(QUIT_TIME, connection.quit()).await;
        outcome
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Greets in the open, and again through TLS; the server must offer it.
async fn upgraded(
    stream: CarefulStream,
    name: &ClientId,
    parameters: &TlsParameters,
) -> Result<AsyncSmtpConnection, Error> {
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), name).await?;
    connection.starttls(parameters.clone(), name).await?;
    Ok(connection)
}

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
        let wrong = |why: &dyn fmt::Display| SetupError::new(Setting::SmtpCaFile, format!("{}: {why}", file.display()));
        let pem = std::fs::read(file).map_err(|error| wrong(&error))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong(&"has no certificate in it"));
        }
        let certificates = Certificate::from_pem(&pem).map_err(|error| wrong(&error))?;
        builder = builder.add_root_certificate(certificates);
    }
    builder.build().map_err(|error| SetupError::new(Setting::SmtpTls, error.to_string()))
}
