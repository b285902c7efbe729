//! The secret of the installation: configured, or made at the first start and kept beside the keys.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, anyhow, ensure};
use auth_crypto::{ApplicationSecret, ApplicationSecretError, WhichSecret, generate_secret};

use crate::config::{Checked, Secret};
use crate::keys::KeyFolder;

/// The file of the secret that the service makes. Its ending is that of no key.
const FILE: &str = "accounts.vault";

/// What seals and keys hashes. Makes the secret where none is configured, if it may.
pub(crate) fn application_secret(checked: &Checked) -> Result<ApplicationSecret> {
    let secrets = &checked.settings.secrets;
    let (current, place) = match secrets.key.expose() {
        "" => made(checked)?,
        _ => (secrets.key.clone(), "secrets.key".to_owned()),
    };
    let former = secrets.former_key_files.iter().map(|path| former(path)).collect::<Result<Vec<_>>>()?;
    let former: Vec<_> = former.iter().map(Secret::expose).collect();
    ApplicationSecret::new(current.expose(), &former).map_err(|error| match error {
        ApplicationSecretError::TooShort { which: WhichSecret::Former(_), .. }
        | ApplicationSecretError::NotSecret { which: WhichSecret::Former(_), .. } => {
            anyhow!("secrets.former_key_files: {error}")
        }
        _ => anyhow!("{place}: {error}"),
    })
}

/// The secret that the service has made, now or before, and where it is.
fn made(checked: &Checked) -> Result<(Secret, String)> {
    ensure!(
        checked.settings.secrets.generate_key,
        "secrets.key: is not set; set AUTH__SECRETS__KEY or AUTH__SECRETS__KEY_FILE to a secret of at least 32 bytes"
    );
    let folder = KeyFolder::of(checked);
    let path = folder.file(FILE);
    let mut read = fs::read_to_string(&path);
    if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        // Another process may do so at the same moment: the first one's is the secret.
        folder.keep(FILE, &generate_secret()?)?;
        read = fs::read_to_string(&path);
    }
    let text = read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok((Secret::new(text.trim_end()), path.display().to_string()))
}

fn former(path: &str) -> Result<Secret> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("secrets.former_key_files: {path} cannot be read"))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use auth_accounts::ports::SecretBox;
    use auth_accounts::secret::Sealed;

    use super::*;
    use crate::config::{Sources, load};

    fn checked(dir: &Path, environment: &[(&str, &str)]) -> Checked {
        let mut environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.push(("AUTH__DATA__DIR".to_owned(), dir.to_str().unwrap().to_owned()));
        load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() }).unwrap()
    }

    fn seal(dir: &Path) -> Sealed {
        application_secret(&checked(dir, &[])).unwrap().seal(b"context", b"text").unwrap()
    }

    fn opens(dir: &Path, environment: &[(&str, &str)], sealed: &Sealed) -> bool {
        application_secret(&checked(dir, environment)).unwrap().open(b"context", sealed).is_ok()
    }

    fn refusal(dir: &Path, environment: &[(&str, &str)]) -> String {
        format!("{:#}", application_secret(&checked(dir, environment)).unwrap_err())
    }

    #[test]
    fn the_secret_is_made_once_and_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        // All at once, as several first starts may be.
        let sealed: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| seal(dir.path()))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(sealed.iter().all(|sealed| opens(dir.path(), &[], sealed)));
        let files: Vec<_> = fs::read_dir(dir.path().join("keys")).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.iter().map(|file| file.file_name()).collect::<Vec<_>>(), [FILE]);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for algorithm in [None, Some("HS256".parse().unwrap())] {
            assert!(
                KeyFolder::of(&checked(dir.path(), &[])).load(algorithm).unwrap().is_empty(),
                "it is no signing key"
            );
        }
    }

    #[test]
    fn former_secrets_are_read_and_no_more_used() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = seal(dir.path());
        let made = dir.path().join("keys").join(FILE);
        let key = [("AUTH__SECRETS__KEY", "another-secret-0123456789-0123456789")];
        let both = [key[0], ("AUTH__SECRETS__FORMER_KEY_FILES", made.to_str().unwrap())];
        assert!(!opens(dir.path(), &key, &sealed));
        assert!(opens(dir.path(), &both, &sealed));
        let new = application_secret(&checked(dir.path(), &both)).unwrap().seal(b"context", b"text").unwrap();
        assert!(opens(dir.path(), &key, &new) && !opens(dir.path(), &[], &new));
    }

    #[test]
    fn what_is_no_secret_is_named_by_its_key_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let short = dir.path().join("short");
        fs::write(&short, "too-short-to-be-one\n").unwrap();
        let short = short.to_str().unwrap();
        for (name, value, expected) in [
            ("AUTH__SECRETS__KEY", "too-short-to-be-one", "secrets.key: "),
            ("AUTH__SECRETS__KEY", "secretsecretsecretsecretsecretsecret", "secrets.key: "),
            ("AUTH__SECRETS__KEY_FILE", short, "secrets.key: "),
            ("AUTH__SECRETS__FORMER_KEY_FILES", short, "secrets.former_key_files: "),
            ("AUTH__SECRETS__FORMER_KEY_FILES", "/nowhere/key", "secrets.former_key_files: /nowhere/key"),
            ("AUTH__SECRETS__GENERATE_KEY", "false", "AUTH__SECRETS__KEY_FILE"),
        ] {
            let empty = tempfile::tempdir().unwrap();
            let refusal = refusal(empty.path(), &[(name, value)]);
            assert!(refusal.contains(expected) && !refusal.contains('\n'), "{name}={value}: {refusal}");
            assert!(!refusal.contains("too-short-to-be-one") && !refusal.contains("secretsecret"), "{refusal}");
        }
        // One that the service has made, and somebody has emptied.
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join("keys").join(FILE), "").unwrap();
        assert!(refusal(dir.path(), &[]).contains("accounts.vault: "));
    }
}
