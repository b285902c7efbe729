//! Mails as files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use auth_accounts::mail::{EmailKind, MessageId};
use auth_accounts::ports::{EmailError, Mailer};
use auth_mail::{FolderMailer, NoMailer, Setting};

use crate::{composer, mail};

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
async fn each_mail_is_a_file_that_only_its_owner_reads() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a").join("mails");
    let mailer = FolderMailer::new(composer(), &folder).unwrap();
    mailer.send(&mail(EmailKind::PasswordReset)).await.unwrap();
    assert_eq!(mode(&folder), 0o700);
    let name = format!("1795567679-password_reset-{}.eml", "07".repeat(16));
    assert_eq!(names(&folder), std::slice::from_ref(&name));
    assert_eq!(mode(&folder.join(&name)), 0o600);
}

#[tokio::test]
async fn a_mail_that_is_sent_twice_is_one_file() {
    let home = tempfile::tempdir().unwrap();
    let mailer = FolderMailer::new(composer(), home.path()).unwrap();
    let first = mail(EmailKind::PasswordReset);
    let mut second = first.clone();
    second.id = MessageId::from_bytes([8; 16]);
    for mail in [&first, &second, &first] {
        mailer.send(mail).await.unwrap();
    }
    assert_eq!(names(home.path()).len(), 2);
}

#[tokio::test]
async fn a_folder_that_went_away_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("mails");
    let mailer = FolderMailer::new(composer(), &folder).unwrap();
    std::fs::remove_dir(&folder).unwrap();
    mailer.send(&mail(EmailKind::PasswordReset)).await.unwrap();
    assert_eq!(names(&folder).len(), 1);
}

#[tokio::test]
async fn a_mail_that_cannot_be_written_waits_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let mailer = FolderMailer::new(composer(), home.path()).unwrap();
    // A folder where the file would be: it fails for root as well, unlike a missing permission.
    let name = format!("1795567679-password_reset-{}.eml", "07".repeat(16));
    std::fs::create_dir_all(home.path().join(&name).join("x")).unwrap();
    let outcome = mailer.send(&mail(EmailKind::PasswordReset)).await;
    assert!(matches!(outcome, Err(EmailError::Temporary(_))), "{outcome:?}");
    assert_eq!(names(home.path()), [name]);
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_start() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let error = FolderMailer::new(composer(), home.path().join("file")).unwrap_err();
    assert_eq!(error.setting, Setting::Folder);
    assert!(error.why.contains("file"), "{error}");
}

#[tokio::test]
async fn no_mailer_takes_everything() {
    for kind in EmailKind::ALL {
        assert_eq!(NoMailer.send(&mail(*kind)).await, Ok(()));
    }
}
