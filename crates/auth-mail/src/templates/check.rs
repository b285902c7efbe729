//! Trying all templates before the first mail.

use std::collections::BTreeSet;

use auth_accounts::mail::{EmailContent, EmailKind, Fact, Mail, MessageId};
use auth_core::time::UnixTime;

use super::{Part, Rendered, Templates, facts};
use crate::error::{Setting, SetupError};
use crate::line::one_line;

/// Longest explanation, in characters.
const MAX_WHY: usize = 300;

/// The sample of a token and of a code: digits and letters, so that they read the same in HTML and in a link.
const TOKEN: &str = "5am91et0ken";
const CODE: &str = "907135";

impl Templates {
    pub(super) fn check(&self) -> Result<(), SetupError> {
        EmailKind::ALL.iter().try_for_each(|kind| {
            Part::ALL.iter().try_for_each(|part| self.check_names(&part.name(*kind)))?;
            // With every fact and with none: a mail must be readable whatever is known.
            self.sample(*kind, EmailContent::default())?;
            let all = Fact::ALL.iter().fold(EmailContent::default(), |all, fact| all.with(*fact, sample_of(*fact)));
            self.check_contents(*kind, &self.sample(*kind, all)?)
        })
    }

    /// Whether every variable is there, in branches as well that no sample goes into.
    fn check_names(&self, name: &str) -> Result<(), SetupError> {
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
            Some(unknown) => Err(self.wrong(name, &format!("there is no variable {unknown}"))),
            None => Ok(()),
        }
    }

    fn sample(&self, kind: EmailKind, content: EmailContent) -> Result<Rendered, SetupError> {
        let id = MessageId::from_bytes([0; 16]);
        let mail = Mail { id, kind, to: "somebody@example.com".to_owned(), content, caused_at: UnixTime::default() };
        self.try_render(&mail).map_err(|error| self.explain(kind.name(), &error))
    }

    /// Whether a mail says what it is sent for, and says no secret in its subject, which is shown on locked screens.
    fn check_contents(&self, kind: EmailKind, rendered: &Rendered) -> Result<(), SetupError> {
        let Rendered { subject, text, html } = rendered;
        let name = |part: Part| part.name(kind);
        if subject.is_empty() {
            return Err(self.wrong(&name(Part::Subject), "the subject is empty"));
        }
        if subject.contains(TOKEN) || subject.contains(CODE) {
            return Err(self.wrong(&name(Part::Subject), "a subject must not show the link, the token or the code"));
        }
        let (what, sample) = match (self.links.link(kind, TOKEN), kind) {
            (Some(_), _) => ("link", TOKEN),
            (None, EmailKind::SecondFactorCode) => ("code", CODE),
            _ => return Ok(()),
        };
        let parts = [(Part::Text, text), (Part::Html, html)];
        match parts.into_iter().find(|(_, said)| !said.contains(sample)) {
            Some((part, _)) => Err(self.wrong(&name(part), &format!("the {what} is missing"))),
            None => Ok(()),
        }
    }

    fn explain(&self, name: &str, error: &minijinja::Error) -> SetupError {
        let what =
            error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
        let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
        self.wrong(error.name().unwrap_or(name), &format!("{line}{what}"))
    }

    fn wrong(&self, name: &str, what: &str) -> SetupError {
        let why = format!("{}: {what}", self.source.origin(name));
        SetupError::new(Setting::Templates, one_line(&why, MAX_WHY))
    }
}

const fn sample_of(fact: Fact) -> &'static str {
    match fact {
        Fact::Token => TOKEN,
        Fact::Code => CODE,
        Fact::Minutes => "30",
        Fact::Left => "3",
        Fact::Method => "totp",
        Fact::Username | Fact::FirstName | Fact::Address | Fact::UserAgent | Fact::NewEmail => "sample",
    }
}
