//! The mailer of the configured transport, with its templates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use auth_accounts::ports::Mailer;
use auth_mail::{Composer, FolderMailer, SmtpMailer, SmtpOptions, SmtpPassword, SmtpTls, TemplateOptions, Templates};

use crate::config::{Checked, Mail, Transport, named};

/// Returns the mailer of a server with the bind address `address`, or `None` if no emails are sent. All templates are loaded
/// and rendered here, so that none fails at a delivery.
pub(crate) fn mailer(checked: &Checked, address: SocketAddr) -> Result<Option<Arc<dyn Mailer>>> {
    let mail = &checked.settings.mail;
    let mailer: Arc<dyn Mailer> = match checked.transport {
        None | Some(Transport::None) => return Ok(None),
        Some(Transport::Folder) => {
            Arc::new(FolderMailer::new(composer(mail, address)?, folder(checked)).map_err(named)?)
        }
        Some(Transport::Smtp(tls)) => {
            Arc::new(SmtpMailer::new(composer(mail, address)?, smtp_options(mail, tls)).map_err(named)?)
        }
    };
    Ok(Some(mailer))
}

/// Returns the folder that emails are written to.
pub(crate) fn folder(checked: &Checked) -> PathBuf {
    match checked.settings.mail.folder.as_str() {
        "" => Path::new(&checked.settings.data.dir).join("mail"),
        configured => configured.into(),
    }
}

fn composer(mail: &Mail, address: SocketAddr) -> Result<Composer> {
    let options = TemplateOptions {
        service_name: mail.service_name(address),
        language: mail.language.clone(),
        folder: non_empty(&mail.templates_dir).map(PathBuf::from),
        links: mail.links(address)?,
    };
    Composer::new(&mail.from, Templates::new(options).map_err(named)?).map_err(named)
}

fn smtp_options(mail: &Mail, tls: SmtpTls) -> SmtpOptions {
    let password = mail.smtp_password.expose();
    let has_login = !(mail.smtp_username.is_empty() && password.is_empty());
    SmtpOptions {
        port: Some(mail.smtp_port).filter(|port| *port > 0),
        // If only one of the two is set, the mailer refuses the login.
        login: has_login.then(|| (mail.smtp_username.clone(), SmtpPassword::new(password))),
        helo_name: non_empty(&mail.smtp_helo_name),
        timeout: Duration::from_secs(mail.smtp_timeout_seconds),
        ca_file: non_empty(&mail.smtp_ca_file).map(PathBuf::from),
        ..SmtpOptions::new(&mail.smtp_host, tls)
    }
}

fn non_empty(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    fn has_mailer(environment: &[(&str, &str)]) -> Result<bool> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(owned).collect();
        let checked = load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() })?;
        Ok(mailer(&checked, "127.0.0.1:8000".parse()?)?.is_some())
    }

    #[test]
    fn every_transport_has_a_mailer_except_none() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        assert!(has_mailer(&[("AUTH__DATA__DIR", dir)]).unwrap());
        assert!(Path::new(dir).join("mail").is_dir());
        let none = [("AUTH__MAIL__TRANSPORT", "none"), ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off")];
        assert!(!has_mailer(&none).unwrap());
        for (tls, host) in [("starttls", "mail.example"), ("implicit", "mail.example"), ("none", "127.0.0.1")] {
            let smtp = [
                ("AUTH__MAIL__TRANSPORT", "smtp"),
                ("AUTH__MAIL__SMTP_HOST", host),
                ("AUTH__MAIL__SMTP_TLS", tls),
                ("AUTH__MAIL__SMTP_USERNAME", "mailer"),
                ("AUTH__MAIL__SMTP_PASSWORD", "hunter2-hunter2"),
                ("AUTH__MAIL__BASE_URL", "https://app.example"),
                ("AUTH__MAIL__FROM", "no-reply@app.example"),
            ];
            assert!(has_mailer(&smtp).unwrap(), "{tls}");
        }
    }

    #[test]
    fn an_error_is_one_line_that_names_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().to_str().unwrap();
        let templates = Path::new(dir).join("en");
        std::fs::create_dir(&templates).unwrap();
        std::fs::write(templates.join("password_reset.txt"), "{{ link").unwrap();
        for (name, value, expected) in [
            ("AUTH__MAIL__FROM", "nobody", "mail.from: "),
            ("AUTH__MAIL__LANGUAGE", "tlh", "mail.language: "),
            ("AUTH__MAIL__TEMPLATES_DIR", "/nowhere/templates", "mail.templates_dir: "),
            ("AUTH__MAIL__TEMPLATES_DIR", dir, "mail.templates_dir: "),
            ("AUTH__MAIL__SMTP_HOST", "mail.example:25", "mail.smtp_host: "),
            ("AUTH__MAIL__SMTP_TLS", "none", "mail.smtp_tls: "),
            ("AUTH__MAIL__SMTP_USERNAME", "", "mail.smtp_username: "),
            ("AUTH__MAIL__SMTP_CA_FILE", "/nowhere/ca.pem", "mail.smtp_ca_file: "),
            ("AUTH__MAIL__SMTP_HELO_NAME", "a b", "mail.smtp_helo_name: "),
        ] {
            let smtp = [
                ("AUTH__MAIL__TRANSPORT", "smtp"),
                ("AUTH__MAIL__SMTP_HOST", "mail.example"),
                ("AUTH__MAIL__SMTP_USERNAME", "mailer"),
                ("AUTH__MAIL__SMTP_PASSWORD", "hunter2-hunter2"),
                ("AUTH__MAIL__BASE_URL", "https://app.example"),
                ("AUTH__MAIL__FROM", "no-reply@app.example"),
                (name, value),
            ];
            let error = has_mailer(&smtp).err().map(|error| format!("{error:#}"));
            let error = error.unwrap_or_else(|| panic!("{name}={value} is accepted"));
            assert!(error.starts_with(expected) && !error.contains('\n'), "{name}={value}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
