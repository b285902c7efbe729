//! The `Mailer` port of `auth-core`, and the texts of the mails.
//!
//! | how mail travels | here |
//! |---|---|
//! | over SMTP | [`SmtpMailer`]: one connection for each mail, with TLS or to this machine only |
//! | into a folder | [`FolderMailer`]: one `.eml` file for each mail, to try the service without a mail server |
//! | not at all | [`NoMailer`] |
//!
//! What a mail says comes from [`Templates`], which ship in English and can be replaced one by one; a [`Composer`] makes a
//! message of it. Links begin with what [`Links`] was given at the start, never with anything out of a request.
//!
//! Whatever a stranger may have typed (names, what their program calls itself) stays on one line, is bounded, and is
//! escaped where it stands in HTML. When a mail is tried again is the outbox's business, not that of this crate.

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
