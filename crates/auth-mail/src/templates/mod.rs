//! The texts of mails: templates that are shipped in English, each of which a file can replace.

mod check;
mod embedded;
mod facts;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use auth_accounts::mail::{EmailKind, Mail};
use auth_accounts::ports::EmailError;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use crate::error::{Setting, SetupError};
use crate::line::one_line;
use crate::links::Links;

/// Longest subject, in characters: with its name it fits on two lines.
const MAX_SUBJECT: usize = 150;

/// Longest name of a service, in characters.
const MAX_SERVICE_NAME: usize = 60;

/// Where the texts of mails come from.
#[derive(Clone, Debug)]
pub struct TemplateOptions {
    /// What the service is called in mails: 1 to 60 characters on one line.
    pub service_name: String,
    /// The language of the mails: letters and hyphens, such as `en` or `pt-BR`. Only `en` is shipped; others need a folder.
    pub language: String,
    /// A folder whose files, named `<language>/<kind>.subject.txt`, `<language>/<kind>.txt` and `<language>/<kind>.html`,
    /// take the place of what is shipped, one by one. `None`: what is shipped.
    pub folder: Option<PathBuf>,
    /// Where links lead.
    pub links: Links,
}

/// What a mail says, as sentences.
pub(crate) struct Rendered {
    /// One line.
    pub(crate) subject: String,
    /// Plain text, lines end in `\n`.
    pub(crate) text: String,
    /// HTML.
    pub(crate) html: String,
}

/// The texts of mails, in the template language of `minijinja`.
///
/// A template is looked for in the folder, then among those that are shipped in the language, then in English; so are the
/// ones that it extends or includes (`layout.txt`, `layout.html`). It may speak of every [`Fact`](auth_accounts::mail::Fact) by
/// its name, and of `link`, `service_name`, `to` and `when`. All variables are always there; what is not known is empty.
/// Variables are escaped in `.html` and nowhere else.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    source: Source,
    service_name: String,
    links: Links,
}

/// Where a template comes from.
#[derive(Clone, Debug)]
struct Source {
    folder: Option<PathBuf>,
    language: String,
}

impl Templates {
    /// Reads all templates and tries each of them, so that none fails when a mail is waiting: one that does not parse, names
    /// a variable that is not there, leaves out the link or the code that its mail is sent for, or shows a secret in the
    /// subject is refused, by the name of its file. Files are read here; a change needs a restart.
    pub fn new(options: TemplateOptions) -> Result<Self, SetupError> {
        let TemplateOptions { service_name, language, folder, links } = options;
        check_service_name(&service_name)?;
        let source = Source { folder, language };
        source.check()?;
        let templates = Self { environment: environment(source.clone()), source, service_name, links };
        templates.check()?;
        Ok(templates)
    }

    /// The sentences of a mail. A template that fails is mended by an operator, so the mail can wait.
    pub(crate) fn render(&self, mail: &Mail) -> Result<Rendered, EmailError> {
        // Neither the text of the error nor its source: they may quote what the mail says.
        let failed = |error: minijinja::Error| {
            let name = error.name().unwrap_or("template");
            EmailError::Temporary(format!("{name}, line {}: {}", error.line().unwrap_or_default(), error.kind()))
        };
        self.try_render(mail).map_err(failed)
    }

    fn try_render(&self, mail: &Mail) -> Result<Rendered, minijinja::Error> {
        let variables = facts::variables(mail, &self.service_name, &self.links);
        let part = |part: Part| self.environment.get_template(&part.name(mail.kind))?.render(&variables);
        Ok(Rendered {
            subject: one_line(&part(Part::Subject)?, MAX_SUBJECT),
            text: tidy(&part(Part::Text)?),
            html: tidy(&part(Part::Html)?),
        })
    }
}

/// Checks what the service is called in emails: 1 to 60 characters on one line, without characters that cannot be seen and
/// without two spaces in a row.
///
/// # Errors
/// [`Setting::ServiceName`].
pub fn check_service_name(name: &str) -> Result<(), SetupError> {
    if name.is_empty() || one_line(name, MAX_SERVICE_NAME) != name {
        let why = format!("is {name:?}; must be 1 to {MAX_SERVICE_NAME} visible characters on one line");
        return Err(SetupError::new(Setting::ServiceName, why));
    }
    Ok(())
}

/// A part of a mail that has a template of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    fn name(self, kind: EmailKind) -> String {
        let ending = match self {
            Self::Subject => "subject.txt",
            Self::Text => "txt",
            Self::Html => "html",
        };
        format!("{}.{ending}", kind.name())
    }
}

impl Source {
    fn check(&self) -> Result<(), SetupError> {
        let language = &self.language;
        if language.is_empty() || !language.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            return Err(SetupError::new(Setting::Language, "must be letters and hyphens, such as en or pt-BR"));
        }
        // A folder that is not there would leave the shipped texts in place, and nobody would know why.
        if let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(SetupError::new(Setting::Templates, format!("{}: no such folder", folder.display())));
        }
        let has_files = self.folder.as_ref().is_some_and(|folder| folder.join(language).is_dir());
        if language != embedded::LANGUAGE && !has_files {
            let why =
                format!("no templates in this language: en is shipped, others need a folder {language} of templates");
            return Err(SetupError::new(Setting::Language, why));
        }
        Ok(())
    }

    /// The file that would replace a template.
    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(&self.language).join(name))
    }

    fn read(&self, name: &str) -> Result<Option<Cow<'static, str>>, minijinja::Error> {
        // Plain names only: no template reads what is outside its folder.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) || name.starts_with('.') {
            return Ok(None);
        }
        match self.file(name).map(std::fs::read_to_string) {
            Some(Ok(text)) => Ok(Some(text.into())),
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("{name} cannot be read: {error}")))
            }
            _ => Ok(embedded::shipped(name).map(Cow::Borrowed)),
        }
    }

    /// What to call a template when it is wrong.
    fn origin(&self, name: &str) -> String {
        let file = self.file(name).filter(|file| Path::exists(file));
        file.map_or_else(|| format!("shipped template {name}"), |file| file.display().to_string())
    }
}

fn environment(source: Source) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    environment.set_loader(move |name| source.read(name));
    environment
}

/// Without control characters, white space at the ends of lines, and more than one empty line in a row.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut tidied = String::with_capacity(text.len());
    for line in text.trim().split('\n') {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        if !(line.trim().is_empty() && tidied.ends_with("\n\n")) {
            tidied += line.trim_end();
            tidied.push('\n');
        }
    }
    tidied
}
