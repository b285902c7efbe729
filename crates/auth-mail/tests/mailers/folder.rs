//! Delivery to files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use auth_accounts::email::{EmailKind, MessageId};
use auth_accounts::ports::{EmailError, Mailer};
use auth_mail::{FolderMailer, NoMailer, Setting};

use crate::{composer, email};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_email_is_a_file_that_only_its_owner_can_read() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a").join("emails");
    let mailer = FolderMailer::new(composer(), &folder).unwrap();
    mailer.send(&email(EmailKind::PasswordReset)).await.unwrap();
    assert_eq!(mode(&folder), 0o700);
    let name = format!("1795567679-password_reset-{}.eml", "07".repeat(16));
    assert_eq!(names(&folder), std::slice::from_ref(&name));
    assert_eq!(mode(&folder.join(&name)), 0o600);
}

#[tokio::test]
async fn an_email_delivered_twice_is_one_file() {
    let home = tempfile::tempdir().unwrap();
    let mailer = FolderMailer::new(composer(), home.path()).unwrap();
    let first = email(EmailKind::PasswordReset);
    let mut second = first.clone();
    second.id = MessageId::from_bytes([8; 16]);
    for email in [&first, &second, &first] {
        mailer.send(email).await.unwrap();
    }
    assert_eq!(names(home.path()).len(), 2);
}

#[tokio::test]
async fn a_removed_folder_is_created_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("emails");
    let mailer = FolderMailer::new(composer(), &folder).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    mailer.send(&email(EmailKind::PasswordReset)).await.unwrap();
    assert_eq!(names(&folder).len(), 1);
}

#[tokio::test]
async fn a_failed_write_is_temporary_and_leaves_no_file() {
    let home = tempfile::tempdir().unwrap();
    let mailer = FolderMailer::new(composer(), home.path()).unwrap();
    // A folder in place of the file: unlike a missing permission, it fails for root as well.
    let name = format!("1795567679-password_reset-{}.eml", "07".repeat(16));
    std::fs::create_dir_all(home.path().join(&name).join("x")).unwrap();
    let outcome = mailer.send(&email(EmailKind::PasswordReset)).await;
    assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{outcome:?}");
    assert_eq!(names(home.path()), [name]);
}

#[test]
fn rejects_a_folder_that_cannot_be_created() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let error = FolderMailer::new(composer(), home.path().join("file")).unwrap_err();
    assert_eq!(error.setting, Setting::Folder);
    assert!(error.why.contains("file"), "{error}");
}

#[tokio::test]
async fn no_mailer_accepts_every_email() {
    for kind in EmailKind::ALL {
        assert_eq!(NoMailer.send(&email(*kind)).await, Ok(()));
    }
}
