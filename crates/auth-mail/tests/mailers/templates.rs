//! Custom templates.

use std::path::Path;

use auth_accounts::email::EmailKind;
use auth_accounts::ports::Mailer;
use auth_mail::{Composer, FolderMailer, Setting, SetupError, Templates};
use tempfile::TempDir;

use crate::{email, options};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

/// Reads the templates in a folder.
fn read(folder: &Path, language: &str) -> Result<Templates, SetupError> {
    let mut options = options();
    options.folder = Some(folder.to_owned());
    language.clone_into(&mut options.language);
    Templates::new(options)
}

/// Renders an email of this kind and returns the message.
async fn rendered(templates: Templates, kind: EmailKind) -> String {
    let home = tempfile::tempdir().unwrap();
    let composer = Composer::new("no-reply@mail.example", templates).unwrap();
    FolderMailer::new(composer, home.path()).unwrap().send(&email(kind)).await.unwrap();
    let entry = std::fs::read_dir(home.path()).unwrap().next().unwrap().unwrap();
    std::fs::read_to_string(entry.path()).unwrap()
}

#[test]
fn the_shipped_templates_are_valid() {
    Templates::new(options()).unwrap();
}

#[tokio::test]
async fn a_file_replaces_one_template() {
    let own = folder(&[("en/password_changed.subject.txt", "Your key\n has\n changed, {{ username }}\n")]);
    let message = rendered(read(own.path(), "en").unwrap(), EmailKind::PasswordChanged).await;
    assert!(message.contains("Subject: Your key has changed, ann\r\n"), "{message}");
    assert!(message.contains("Hello Ann,"), "{message}");
    let message = rendered(read(own.path(), "en").unwrap(), EmailKind::PasswordReset).await;
    assert!(message.contains("Subject: Set a new password for Example\r\n"), "{message}");
}

#[tokio::test]
async fn another_language_falls_back_to_english() {
    let own = folder(&[
        ("de/layout.txt", "Hallo {{ first_name }},\n{% block message %}{% endblock %}\n"),
        ("de/password_changed.txt", "{% extends \"layout.txt\" %}{% block message %}Neues Passwort.{% endblock %}"),
    ]);
    let message = rendered(read(own.path(), "de").unwrap(), EmailKind::PasswordChanged).await;
    assert!(message.contains("Hallo Ann,\r\nNeues Passwort."), "{message}");
    let message = rendered(read(own.path(), "de").unwrap(), EmailKind::SessionReused).await;
    assert!(message.contains("Hallo Ann,\r\n\r\nA login") && message.contains("Log in\r\nagain"), "{message}");
}

#[tokio::test]
async fn html_is_escaped_and_text_is_not() {
    let own = folder(&[
        ("en/password_changed.html", "<p>{{ service_name }}</p>"),
        ("en/password_changed.txt", "{{ service_name }}"),
    ]);
    let mut options = options();
    (options.service_name, options.folder) = ("A & B".to_owned(), Some(own.path().to_owned()));
    let message = rendered(Templates::new(options).unwrap(), EmailKind::PasswordChanged).await;
    assert!(message.contains("<p>A &amp; B</p>") && message.contains("\r\nA & B\r\n"), "{message}");
}

#[test]
fn rejects_invalid_templates_with_the_path_of_the_file() {
    for (name, text, part) in [
        ("password_reset.txt", "{{ lnk }}", "unknown variable lnk"),
        ("password_reset.html", "{{ link }}{% if not left %}{{ misspelt }}{% endif %}", "unknown variable misspelt"),
        ("password_reset.txt", "line one\n{{ link ", "line 2: syntax error"),
        ("password_reset.txt", "{% extends \"absent.txt\" %}", "does not exist"),
        ("password_reset.txt", "{{ link }}{% include \"../../etc/passwd\" %}", "non-existing"),
        ("password_reset.txt", "{{ link|nosuchfilter }}", "nosuchfilter"),
        ("password_reset.txt", "Hello", "the link is missing"),
        ("password_reset.html", "Hello", "the link is missing"),
        ("second_factor_code.txt", "Hello", "the code is missing"),
        ("second_factor_code.subject.txt", "{{ code }}", "a subject must not contain"),
        ("password_reset.subject.txt", "{{ link }}", "a subject must not contain"),
        ("password_reset.subject.txt", " \n", "the subject is empty"),
        ("layout.txt", "{{ nothing }}", "undefined value"),
    ] {
        let own = folder(&[(&format!("en/{name}"), text)]);
        let error = read(own.path(), "en").unwrap_err();
        assert_eq!(error.setting, Setting::Templates, "{name}: {error}");
        let file = own.path().join("en").join(name);
        assert!(error.why.starts_with(&file.display().to_string()), "{name} {text:?}: {error}");
        assert!(error.why.contains(part) && !error.why.contains('\n'), "{name} {text:?}: {error}");
    }
}

#[test]
fn rejects_a_file_that_cannot_be_read() {
    let own = folder(&[("en/password_reset.txt/x", "")]);
    let error = read(own.path(), "en").unwrap_err();
    assert!(error.why.contains("password_reset.txt"), "{error}");
}

#[test]
fn rejects_missing_languages_and_folders() {
    let own = folder(&[("pt-BR/layout.txt", "{% block message %}{% endblock %}")]);
    assert!(read(own.path(), "pt-BR").is_ok());
    for language in ["", "..", "../en", "de", "en_US", "en/", "e n"] {
        assert_eq!(read(own.path(), language).unwrap_err().setting, Setting::Language, "{language:?}");
    }
    assert_eq!(read(&own.path().join("absent"), "en").unwrap_err().setting, Setting::Templates);
}

#[test]
fn rejects_invalid_service_names() {
    for name in ["", "two\nlines", " padded", "Example\r\nBcc: x@y.example", &"x".repeat(61)] {
        let mut options = options();
        name.clone_into(&mut options.service_name);
        assert_eq!(Templates::new(options).unwrap_err().setting, Setting::ServiceName, "{name:?}");
    }
}
