//! Email templates. They are shipped in English, and a file can replace each of them.

mod check;
mod embedded;
mod facts;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use auth_accounts::email::{EmailKind, UnsealedEmail};
use auth_accounts::ports::EmailError;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use crate::error::{Setting, SetupError};
use crate::line::one_line;
use crate::links::Links;

/// Longest subject, in characters: the header fits on two lines.
const MAX_SUBJECT_LEN: usize = 150;

/// Longest service name, in characters.
const MAX_SERVICE_NAME_LEN: usize = 60;

/// Options of [`Templates`].
#[derive(Clone, Debug)]
pub struct TemplateOptions {
    /// Name of the service in emails: one line of 1 to 60 characters.
    pub service_name: String,
    /// Language of emails: letters and hyphens, such as `en` or `pt-BR`. Only `en` is shipped; others require
    /// [`folder`](Self::folder).
    pub language: String,
    /// Folder with files `<language>/<kind>.subject.txt`, `<language>/<kind>.txt` and `<language>/<kind>.html`. Each
    /// file replaces one shipped template. `None` to use the shipped templates only.
    pub folder: Option<PathBuf>,
    /// The links in emails.
    pub links: Links,
}

/// A rendered email.
pub(crate) struct Rendered {
    /// The subject, one line.
    pub(crate) subject: String,
    /// The plain text, with lines that end in `\n`.
    pub(crate) text: String,
    /// The HTML, with lines that end in `\n`.
    pub(crate) html: String,
}

/// The templates of all emails, in the template language of `minijinja`.
///
/// A template is the file in [`TemplateOptions::folder`] or, if there is none, the shipped one in English. The same
/// applies to the templates that it extends or includes (`layout.txt`, `layout.html`). The variables are every
/// [`Fact`](auth_accounts::email::Fact) by its name, `link`, `service_name`, `to` and `when`. All of them are defined in
/// every email; unknown ones are empty. Variables are escaped in `.html` templates only.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    source: Source,
    service_name: String,
    links: Links,
}

/// The source of templates.
#[derive(Clone, Debug)]
struct Source {
    folder: Option<PathBuf>,
    language: String,
}

impl Templates {
    /// Reads and checks all templates, so that none fails when an email is sent. Changes to the files take effect after
    /// a restart.
    ///
    /// # Errors
    /// [`SetupError`] if a setting is invalid. [`Setting::Templates`], with the path of the file, if a template cannot
    /// be read or parsed, uses an unknown variable, omits the link or the code of its email, or contains a secret in
    /// the subject.
    pub fn new(options: TemplateOptions) -> Result<Self, SetupError> {
        let TemplateOptions { service_name, language, folder, links } = options;
        check_service_name(&service_name)?;
        let source = Source { folder, language };
        source.check()?;
        let templates = Self { environment: environment(source.clone()), source, service_name, links };
        templates.check()?;
        Ok(templates)
    }

    /// Renders an email.
    ///
    /// # Errors
    /// [`EmailError::Temporary`] if a template fails, because an operator can correct it.
    pub(crate) fn render(&self, email: &UnsealedEmail) -> Result<Rendered, EmailError> {
        // Only the kind of the error: its detail and source may contain content of the email.
        let failed = |error: minijinja::Error| {
            let name = error.name().unwrap_or("template");
            EmailError::Temporary(format!("{name}, line {}: {}", error.line().unwrap_or_default(), error.kind()))
        };
        self.try_render(email).map_err(failed)
    }

    fn try_render(&self, email: &UnsealedEmail) -> Result<Rendered, minijinja::Error> {
        let variables = facts::variables(email, &self.service_name, &self.links);
        let part = |part: Part| self.environment.get_template(&part.name(email.kind))?.render(&variables);
        Ok(Rendered {
            subject: one_line(&part(Part::Subject)?, MAX_SUBJECT_LEN),
            text: normalised(&part(Part::Text)?),
            html: normalised(&part(Part::Html)?),
        })
    }
}

/// Checks the name of the service in emails: one line of 1 to 60 characters, without invisible characters or
/// consecutive spaces.
///
/// # Errors
/// [`Setting::ServiceName`] if the name is invalid.
pub fn check_service_name(name: &str) -> Result<(), SetupError> {
    if name.is_empty() || one_line(name, MAX_SERVICE_NAME_LEN) != name {
        let reason = format!("is {name:?}; must be 1 to {MAX_SERVICE_NAME_LEN} visible characters on one line");
        return Err(SetupError::new(Setting::ServiceName, reason));
    }
    Ok(())
}

/// A part of an email with its own template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    /// Returns the name of the template.
    fn name(self, kind: EmailKind) -> String {
        let suffix = match self {
            Self::Subject => "subject.txt",
            Self::Text => "txt",
            Self::Html => "html",
        };
        format!("{}.{suffix}", kind.name())
    }
}

impl Source {
    /// Checks that the language is valid and available.
    fn check(&self) -> Result<(), SetupError> {
        let language = &self.language;
        if language.is_empty() || !language.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
            return Err(SetupError::new(Setting::Language, "must consist of letters and hyphens, such as en or pt-BR"));
        }
        // Otherwise a missing folder would silently leave the shipped templates in use.
        if let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(SetupError::new(Setting::Templates, format!("{}: no such folder", folder.display())));
        }
        let has_files = self.folder.as_ref().is_some_and(|folder| folder.join(language).is_dir());
        if language != embedded::LANGUAGE && !has_files {
            let reason = format!(
                "no templates in this language: only en is built in; others require a template folder {language}"
            );
            return Err(SetupError::new(Setting::Language, reason));
        }
        Ok(())
    }

    /// Returns the path of the file that replaces a template, whether or not it exists.
    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(&self.language).join(name))
    }

    /// Reads a template; returns `None` if there is no template with this name.
    fn read(&self, name: &str) -> Result<Option<Cow<'static, str>>, minijinja::Error> {
        // File names only: a template cannot include files outside its folder.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) || name.starts_with('.') {
            return Ok(None);
        }
        match self.file(name).map(std::fs::read_to_string) {
            Some(Ok(text)) => Ok(Some(text.into())),
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("cannot read {name}: {error}")))
            }
            _ => Ok(embedded::shipped(name).map(Cow::Borrowed)),
        }
    }

    /// Returns the path or name of a template for error messages.
    fn origin(&self, name: &str) -> String {
        let file = self.file(name).filter(|file| Path::exists(file));
        file.map_or_else(|| format!("shipped template {name}"), |file| file.display().to_string())
    }
}

/// Returns a template environment in which unknown variables are errors and only `.html` templates are escaped.
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

/// Removes control characters, trailing white space and consecutive empty lines.
fn normalised(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut normalised = String::with_capacity(text.len());
    for line in text.trim().split('\n') {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        if !(line.trim().is_empty() && normalised.ends_with("\n\n")) {
            normalised += line.trim_end();
            normalised.push('\n');
        }
    }
    normalised
}
