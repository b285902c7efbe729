//! Implementations of the `Mailer` port of `auth-accounts`, and the email templates.
//!
//! | delivery | type |
//! |---|---|
//! | over SMTP | [`SmtpMailer`]: one connection per email; requires TLS except to a loopback address |
//! | to files | [`FolderMailer`]: one `.eml` file per email, to try the service without a mail server |
//! | none | [`NoMailer`] |
//!
//! [`Templates`] render the content of an email. They are shipped in English, and each can be replaced. A [`Composer`]
//! creates the message. The URL of a link comes from [`Links`], which is configured, and never from a request
//! (SEC-114).
//!
//! Untrusted input (names, user agents) is limited to one line of bounded length, and is escaped in HTML. Retries are
//! the responsibility of the outbox.

mod composer;
mod error;
mod folder;
mod line;
mod links;
mod none;
mod smtp;
mod templates;

pub use composer::Composer;
pub use error::{Setting, SetupError};
pub use folder::FolderMailer;
pub use links::Links;
pub use none::NoMailer;
pub use smtp::{SmtpMailer, SmtpOptions, SmtpPassword, SmtpTls};
pub use templates::{TemplateOptions, Templates, check_service_name};
