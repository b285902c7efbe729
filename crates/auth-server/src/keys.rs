//! The key ring: configured keys, and keys that the service generates and stores in files.
//!
//! Generated keys are files in the folder `keys` of the data folder, readable by their owner only. Their names begin with
//! the time of their creation; the newest one signs, and all of them verify. The [application
//! secret](crate::application_secret) is in the same folder, with another extension.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use auth_core::ports::{Clock, Randomness};
use auth_crypto::{
    Algorithm, KeyRing, RingOptions, SigningKey, SystemClock, SystemRandomness, VerifyingKey, generate_ed25519_pem,
    generate_secret,
};

use crate::config::Checked;

const PEM: &str = "pem";
const SECRET: &str = "secret";
const RETIRED: &str = "retired";
/// The name of the key generated at the first start. It is fixed, so that processes that start at once share one key.
const FIRST: &str = "000000000000-first";

/// A key in a file.
pub(crate) struct KeyFile {
    /// The name of the file, without its extension.
    pub(crate) name: String,
    /// The key.
    pub(crate) key: SigningKey,
}

/// The folder of generated keys.
pub(crate) struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    pub(crate) fn of(checked: &Checked) -> Self {
        Self { path: Path::new(&checked.settings.data.dir).join("keys") }
    }

    /// Loads the keys in use, oldest first. The last one signs.
    pub(crate) fn load(&self, algorithm: Option<Algorithm>) -> Result<Vec<KeyFile>> {
        let mut files = self.files(algorithm)?;
        files.sort();
        files.iter().map(|path| load_file(path, algorithm)).collect()
    }

    /// The files with keys for an algorithm. Shared secrets and key pairs may be in one folder.
    fn files(&self, algorithm: Option<Algorithm>) -> Result<Vec<PathBuf>> {
        let wanted = if algorithm.is_some_and(Algorithm::is_symmetric) { SECRET } else { PEM };
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("{} cannot be read", self.path.display()))?,
        };
        let paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        let is_key = |path: &PathBuf| path.extension().is_some_and(|extension| extension == wanted);
        Ok(paths.into_iter().filter(is_key).collect())
    }

    /// Generates a key that signs from the next start on, and returns its name.
    pub(crate) fn generate(&self, algorithm: Option<Algorithm>) -> Result<String> {
        let name = format!("{:012}-{}", SystemClock.now().seconds(), random_suffix());
        self.write(&name, algorithm)?;
        Ok(name)
    }

    /// Generates the first key, unless another process has just done so.
    fn generate_first(&self, algorithm: Option<Algorithm>) -> Result<()> {
        self.write(FIRST, algorithm)
    }

    fn write(&self, name: &str, algorithm: Option<Algorithm>) -> Result<()> {
        let (key, extension) = match algorithm {
            None | Some(Algorithm::EdDsa) => (generate_ed25519_pem()?, PEM),
            Some(symmetric) if symmetric.is_symmetric() => (generate_secret()?, SECRET),
            Some(other) => {
                bail!("tokens.signing_key_file: required for {other}; the service cannot generate such a key")
            }
        };
        self.create_file(&format!("{name}.{extension}"), &key)
    }

    /// Creates a file, readable by its owner only. If the file exists, it is unchanged.
    pub(crate) fn create_file(&self, file_name: &str, content: &str) -> Result<()> {
        let cannot = || format!("{}: a key cannot be written to this folder", self.path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path).with_context(cannot)?;
        // Written under another name first, so that no process reads an incomplete key.
        let draft = self.path.join(format!("{file_name}.{}.draft", random_suffix()));
        let mut file: File =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).with_context(cannot)?;
        file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
        // Unlike a rename, a hard link does not replace an existing file.
        let linked = fs::hard_link(&draft, self.file(file_name));
        fs::remove_file(&draft).with_context(cannot)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error).with_context(cannot),
            _ => Ok(()),
        }
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn file(&self, file_name: &str) -> PathBuf {
        self.path.join(file_name)
    }

    /// Retires a verifying key. The signing key cannot be retired before there is a newer one.
    pub(crate) fn retire(&self, name: &str, algorithm: Option<Algorithm>) -> Result<()> {
        let keys = self.load(algorithm)?;
        // Only names of loaded keys are accepted, so `name` cannot lead out of the folder.
        ensure!(keys.iter().any(|key| key.name == name), "there is no key {name:?}; see `auth-server keys list`");
        ensure!(
            keys.last().is_some_and(|signing| signing.name != name),
            "{name} is the signing key; generate another one first: `auth-server keys generate`"
        );
        let files = self.files(algorithm)?;
        let path = files.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
        let path = path.ok_or_else(|| anyhow!("there is no key {name:?}"))?;
        fs::rename(path, path.with_extension(RETIRED)).with_context(|| format!("{} cannot be renamed", path.display()))
    }
}

fn random_suffix() -> String {
    let mut bytes = [0; 4];
    SystemRandomness.fill(&mut bytes);
    format!("{:08x}", u32::from_be_bytes(bytes))
}

fn load_file(path: &Path, algorithm: Option<Algorithm>) -> Result<KeyFile> {
    let content = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let key = signing_key(content.trim_end(), algorithm);
    let key = key.with_context(|| format!("{} is not a valid key", path.display()))?;
    Ok(KeyFile { name, key })
}

fn is_pem(key: &str) -> bool {
    key.trim_start().starts_with("-----BEGIN")
}

fn signing_key(key: &str, algorithm: Option<Algorithm>) -> Result<SigningKey> {
    Ok(match algorithm {
        Some(symmetric) if symmetric.is_symmetric() => SigningKey::from_secret(symmetric, key)?,
        algorithm if is_pem(key) || algorithm.is_some() => SigningKey::from_pem(algorithm, key)?,
        _ => SigningKey::from_secret(Algorithm::Hs256, key)?,
    })
}

/// Returns the key ring, and generates the first key if none is configured and `tokens.generate_key` is on.
pub(crate) fn key_ring(checked: &Checked) -> Result<KeyRing> {
    let (signing, mut verifying) = own_keys(checked)?;
    for path in &checked.settings.tokens.verifying_key_files {
        verifying.push(verifying_key(path, signing.algorithm())?);
    }
    KeyRing::new(signing, verifying, RingOptions::default()).context("tokens.verifying_key_files")
}

fn own_keys(checked: &Checked) -> Result<(SigningKey, Vec<VerifyingKey>)> {
    let configured = checked.settings.tokens.signing_key.expose();
    if !configured.is_empty() {
        return Ok((signing_key(configured, checked.algorithm).context("tokens.signing_key")?, Vec::new()));
    }
    ensure!(
        checked.settings.tokens.generate_key,
        "tokens.signing_key: is not set; set AUTH__TOKENS__SIGNING_KEY or AUTH__TOKENS__SIGNING_KEY_FILE"
    );
    let folder = KeyFolder::of(checked);
    let mut keys = folder.load(checked.algorithm)?;
    if keys.is_empty() {
        folder.generate_first(checked.algorithm)?;
        keys = folder.load(checked.algorithm)?;
    }
    let signing = keys.pop().ok_or_else(|| anyhow!("{}: the generated key has disappeared", folder.path.display()))?;
    Ok((signing.key, keys.iter().map(|file| file.key.verifying_key()).collect()))
}

fn verifying_key(path: &str, signing: Algorithm) -> Result<VerifyingKey> {
    let context = || format!("tokens.verifying_key_files: {path}");
    let key = fs::read_to_string(path).with_context(|| format!("{} cannot be read", context()))?;
    let key = key.trim_end();
    if is_pem(key) {
        // A key of the same type is used with the algorithm of the signing key, any other key with the default of its type.
        let same = VerifyingKey::from_pem(Some(signing), key);
        return same.or_else(|_| VerifyingKey::from_pem(None, key)).with_context(context);
    }
    ensure!(signing.is_symmetric(), "{}: is not PEM, and {signing} does not use shared secrets", context());
    VerifyingKey::from_secret(signing, key).with_context(context)
}
