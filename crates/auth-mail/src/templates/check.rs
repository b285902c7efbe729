//! Checks of all templates at startup.

use std::collections::BTreeSet;

use auth_accounts::email::{EmailContent, EmailKind, Fact, MessageId, UnsealedEmail};
use auth_core::time::UnixTime;

use super::{Part, Rendered, Templates, facts};
use crate::error::{Setting, SetupError};
use crate::line::one_line;

/// Longest error message, in characters.
const MAX_REASON_LEN: usize = 300;

/// Samples of a link token and a 6-digit code. Alphanumeric, so that they are the same in HTML and in a URL.
const TOKEN: &str = "5am91et0ken";
const CODE: &str = "907135";

impl Templates {
    /// Renders every email with sample values.
    ///
    /// # Errors
    /// [`Setting::Templates`] for the first template that fails.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        EmailKind::ALL.iter().try_for_each(|kind| {
            Part::ALL.iter().try_for_each(|part| self.check_variables(&part.name(*kind)))?;
            // Without any facts and with all of them: every fact may be empty.
            self.sample(*kind, EmailContent::default())?;
            let all = Fact::ALL.iter().fold(EmailContent::default(), |all, fact| all.with(*fact, sample_of(*fact)));
            self.check_content(*kind, &self.sample(*kind, all)?)
        })
    }

    /// Checks that all variables exist, including those in branches that no sample renders.
    fn check_variables(&self, name: &str) -> Result<(), SetupError> {
        let template = self.environment.get_template(name).map_err(|error| self.explain(name, &error))?;
        let globals: BTreeSet<_> = self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        let is_known = |name: &str| {
            globals.contains(name)
                || Fact::from_name(name).is_some()
                || facts::OTHERS.contains(&name)
                || ["self", "super", "loop", "caller"].contains(&name)
        };
        let mut used: Vec<_> = template.undeclared_variables(false).into_iter().collect();
        used.sort_unstable();
        match used.iter().find(|used| !is_known(used)) {
            Some(unknown) => Err(self.invalid(name, &format!("unknown variable {unknown}"))),
            None => Ok(()),
        }
    }

    /// Renders an email with this content.
    fn sample(&self, kind: EmailKind, content: EmailContent) -> Result<Rendered, SetupError> {
        let id = MessageId::from_bytes([0; 16]);
        let email =
            UnsealedEmail { id, kind, to: "user@example.com".to_owned(), content, caused_at: UnixTime::default() };
        self.try_render(&email).map_err(|error| self.explain(kind.name(), &error))
    }

    /// Checks that the text and the HTML contain the link or the code, and that the subject, which lock screens show,
    /// contains no secret.
    fn check_content(&self, kind: EmailKind, rendered: &Rendered) -> Result<(), SetupError> {
        let Rendered { subject, text, html } = rendered;
        let name = |part: Part| part.name(kind);
        if subject.is_empty() {
            return Err(self.invalid(&name(Part::Subject), "the subject is empty"));
        }
        if subject.contains(TOKEN) || subject.contains(CODE) {
            return Err(
                self.invalid(&name(Part::Subject), "a subject must not contain the link, the token or the code")
            );
        }
        let (what, sample) = match (self.links.link(kind, TOKEN), kind) {
            (Some(_), _) => ("link", TOKEN),
            (None, EmailKind::SecondFactorCode) => ("code", CODE),
            _ => return Ok(()),
        };
        let parts = [(Part::Text, text), (Part::Html, html)];
        match parts.into_iter().find(|(_, rendered)| !rendered.contains(sample)) {
            Some((part, _)) => Err(self.invalid(&name(part), &format!("the {what} is missing"))),
            None => Ok(()),
        }
    }

    /// Converts an error of the template engine.
    fn explain(&self, name: &str, error: &minijinja::Error) -> SetupError {
        let what =
            error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        self.invalid(error.name().unwrap_or(name), &format!("{line}{what}"))
    }

    fn invalid(&self, name: &str, what: &str) -> SetupError {
        let reason = format!("{}: {what}", self.source.origin(name));
        SetupError::new(Setting::Templates, one_line(&reason, MAX_REASON_LEN))
    }
}

const fn sample_of(fact: Fact) -> &'static str {
    match fact {
        Fact::Token => TOKEN,
        Fact::Code => CODE,
        Fact::Minutes => "30",
        Fact::Left => "3",
        Fact::Method => "totp",
        Fact::Username | Fact::FirstName | Fact::ClientIp | Fact::UserAgent | Fact::NewEmail => "sample",
    }
}
