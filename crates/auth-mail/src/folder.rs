//! Mails as files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use auth_accounts::mail::Mail;
use auth_accounts::ports::{EmailError, Mailer};

use crate::composer::{Composer, Letter, now};
use crate::error::{Setting, SetupError};

/// How long one file may take: a disk behind a network may be away.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Writes each mail into a folder, as `{seconds}-{kind}-{id}.eml`, where `seconds` is the moment that caused it (Unix time):
/// so files sort by time, and a mail that is sent twice is one file. Any mail program opens them.
///
/// Links and codes stand in the files, so only their owner can read them. Each path is logged, to be found by whoever
/// tries the service.
#[derive(Debug)]
pub struct FolderMailer {
    composer: Composer,
    folder: Arc<Path>,
}

impl FolderMailer {
    /// A folder of mails; it is made, mode 0700, unless there is one.
    pub fn new(composer: Composer, folder: impl Into<PathBuf>) -> Result<Self, SetupError> {
        let folder = folder.into();
        make_folder(&folder)
            .map_err(|error| SetupError::new(Setting::Folder, format!("{}: {error}", folder.display())))?;
        Ok(Self { composer, folder: folder.into() })
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), EmailError> {
        let letter = self.composer.compose(mail, now())?;
        let name = format!("{:010}-{}-{}.eml", mail.caused_at.seconds(), mail.kind.name(), mail.id);
        let folder = Arc::clone(&self.folder);
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &letter));
        match tokio::time::timeout(TIMEOUT, written).await {
            Ok(Ok(Ok(path))) => {
                tracing::info!(path = %path.display(), kind = mail.kind.name(), "email written");
                Ok(())
            }
            Ok(Ok(Err(error))) => Err(EmailError::Temporary(format!("{}: {error}", self.folder.display()))),
            Ok(Err(_)) => Err(EmailError::Temporary("writing the mail was broken off".to_owned())),
            Err(_) => Err(EmailError::Temporary(format!("{}: not written in time", self.folder.display()))),
        }
    }
}

/// Whole or not at all: a draft is written beside it and takes its name when it is safe on disk.
fn write(folder: &Path, name: &str, letter: &Letter) -> io::Result<PathBuf> {
    make_folder(folder)?;
    let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let draft = folder.join(format!(".{name}.{}-{}", std::process::id(), moment.as_nanos()));
    let path = folder.join(name);
    let written = write_draft(&draft, &letter.bytes).and_then(|()| fs::rename(&draft, &path));
    if let Err(error) = written {
        // What failed is worth telling, not that the half of it cannot be removed either.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    File::open(folder)?.sync_all()?;
    Ok(path)
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
