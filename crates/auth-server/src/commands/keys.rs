//! `keys …`.

use anyhow::{Result, ensure};

use crate::cli::Keys;
use crate::config::Checked;
use crate::keys::KeyFolder;

pub(super) fn run(checked: &Checked, command: &Keys) -> Result<()> {
    ensure!(
        checked.settings.tokens.signing_key.expose().is_empty(),
        "tokens.signing_key: is set; generated keys are not used"
    );
    let folder = KeyFolder::of(checked);
    match command {
        Keys::Generate => {
            println!("generated {}; restart the servers to sign with it", folder.generate(checked.algorithm)?);
        }
        Keys::Retire { name } => {
            folder.retire(name, checked.algorithm)?;
            println!("retired {name}; restart the servers to refuse its tokens");
        }
        Keys::List => {
            let keys = folder.load(checked.algorithm)?;
            let newest = keys.len().saturating_sub(1);
            for (place, file) in keys.iter().enumerate() {
                let role = if place == newest { "signs" } else { "verifies" };
                let kid = file.key.kid().unwrap_or("-");
                println!("{:<24}  {:<6}  {role:<8}  kid {kid}", file.name, file.key.algorithm().name());
            }
        }
    }
    Ok(())
}
