//! Delivery of emails to files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use auth_accounts::email::UnsealedEmail;
use auth_accounts::ports::{EmailError, Mailer};

use crate::composer::{Composer, Message, now};
use crate::error::{Setting, SetupError};

/// Time limit for writing one file, in case the folder is on an unreachable network file system.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Writes each email to a file `{seconds}-{kind}-{id}.eml` in a folder. `seconds` is the Unix time at which the email
/// was caused and `id` its message ID, so files sort by time, and a second delivery replaces the file of the first. Any
/// email client can open the files.
///
/// The files contain links and codes, so only their owner can read them (mode 0600). The path of each file is logged.
#[derive(Debug)]
pub struct FolderMailer {
    composer: Composer,
    folder: Arc<Path>,
}

impl FolderMailer {
    /// Creates a mailer that writes to `folder`. Creates the folder with mode 0700 if it does not exist.
    ///
    /// # Errors
    /// [`Setting::Folder`] if the folder cannot be created.
    pub fn new(composer: Composer, folder: impl Into<PathBuf>) -> Result<Self, SetupError> {
        let folder = folder.into();
        create_folder(&folder)
            .map_err(|error| SetupError::new(Setting::Folder, format!("{}: {error}", folder.display())))?;
        Ok(Self { composer, folder: folder.into() })
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, email: &UnsealedEmail) -> Result<(), EmailError> {
        let message = self.composer.compose(email, now())?;
        let name = format!("{:010}-{}-{}.eml", email.caused_at.seconds(), email.kind.name(), email.id);
        let folder = Arc::clone(&self.folder);
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &message));
        match tokio::time::timeout(TIMEOUT, written).await {
            Ok(Ok(Ok(path))) => {
                tracing::info!(path = %path.display(), kind = email.kind.name(), "email written");
                Ok(())
            }
            Ok(Ok(Err(error))) => Err(EmailError::Temporary(format!("{}: {error}", self.folder.display()))),
            Ok(Err(_)) => Err(EmailError::Temporary("writing the email was interrupted".to_owned())),
            Err(_) => Err(EmailError::Temporary(format!("{}: writing the email timed out", self.folder.display()))),
        }
    }
}

/// Writes a file atomically: writes a temporary file in the same folder, and renames it when it is synced to disk.
fn write(folder: &Path, name: &str, message: &Message) -> io::Result<PathBuf> {
    create_folder(folder)?;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let temporary = folder.join(format!(".{name}.{}-{}", std::process::id(), since_epoch.as_nanos()));
    let path = folder.join(name);
    let written = write_new(&temporary, &message.bytes).and_then(|()| fs::rename(&temporary, &path));
    if let Err(error) = written {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // Makes the rename durable.
    File::open(folder)?.sync_all()?;
    Ok(path)
}

/// Writes a new file that only its owner can read, and syncs it to disk.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a folder that only its owner can read, and its missing parents.
fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
