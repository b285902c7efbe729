//! The application secret: configured, or generated at the first start and stored beside the signing keys.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, anyhow, ensure};
use auth_crypto::{ApplicationSecret, ApplicationSecretError, WhichSecret, generate_secret};

use crate::config::{Checked, Secret};
use crate::keys::KeyFolder;

/// The file of the generated secret. Its extension is not one of a signing key.
const FILE: &str = "accounts.vault";

/// Returns the application secret, and generates it if none is configured and `secrets.generate_key` is on.
pub(crate) fn application_secret(checked: &Checked) -> Result<ApplicationSecret> {
    let secrets = &checked.settings.secrets;
    let (current, source) = match secrets.key.expose() {
        "" => generated(checked)?,
        _ => (secrets.key.clone(), "secrets.key".to_owned()),
    };
    let former = secrets.former_key_files.iter().map(|path| former(path)).collect::<Result<Vec<_>>>()?;
    let former: Vec<_> = former.iter().map(Secret::expose).collect();
    ApplicationSecret::new(current.expose(), &former).map_err(|error| match error {
        ApplicationSecretError::TooShort { which: WhichSecret::Former(_), .. }
        | ApplicationSecretError::NotSecret { which: WhichSecret::Former(_), .. } => {
            anyhow!("secrets.former_key_files: {error}")
        }
        _ => anyhow!("{source}: {error}"),
    })
}

/// Returns the generated secret and the path of its file. Generates it if there is no such file.
fn generated(checked: &Checked) -> Result<(Secret, String)> {
    ensure!(
        checked.settings.secrets.generate_key,
        "secrets.key: is not set; set AUTH__SECRETS__KEY or AUTH__SECRETS__KEY_FILE to a secret of at least 32 bytes"
    );
    let folder = KeyFolder::of(checked);
    let path = folder.file(FILE);
    let mut read = fs::read_to_string(&path);
    if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        // Several processes may start at once. All of them use the file that was created first.
        folder.create_file(FILE, &generate_secret()?)?;
        read = fs::read_to_string(&path);
    }
    let secret = read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok((Secret::new(secret.trim_end()), path.display().to_string()))
}

fn former(path: &str) -> Result<Secret> {
    let secret = fs::read_to_string(path);
    let secret = secret.with_context(|| format!("secrets.former_key_files: {path} cannot be read"))?;
    Ok(Secret::new(secret.trim_end_matches(['\r', '\n'])))
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
    fn the_secret_is_generated_once_and_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        // Several processes may start for the first time at once.
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
                "it is not a signing key"
            );
        }
    }

    #[test]
    fn former_secrets_open_but_do_not_seal() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = seal(dir.path());
        let generated = dir.path().join("keys").join(FILE);
        let key = [("AUTH__SECRETS__KEY", "another-secret-0123456789-0123456789")];
        let both = [key[0], ("AUTH__SECRETS__FORMER_KEY_FILES", generated.to_str().unwrap())];
        assert!(!opens(dir.path(), &key, &sealed));
        assert!(opens(dir.path(), &both, &sealed));
        let new = application_secret(&checked(dir.path(), &both)).unwrap().seal(b"context", b"text").unwrap();
        assert!(opens(dir.path(), &key, &new) && !opens(dir.path(), &[], &new));
    }

    #[test]
    fn a_refused_secret_is_named_by_its_key_and_not_shown() {
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
        // A generated file that has been emptied.
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join("keys").join(FILE), "").unwrap();
        assert!(refusal(dir.path(), &[]).contains("accounts.vault: "));
    }
}
