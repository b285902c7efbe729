//! `check-config --from-simplejwt`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use crate::config::simplejwt;

/// Longest file that is read, in bytes. A dictionary has a few thousand.
const MAX_BYTES: u64 = 1024 * 1024;
const OPTION: &str = "--from-simplejwt";

/// Prints the configuration. If the dictionary cannot be translated, prints every refusal on its own line, except the last
/// one, which is returned as the error.
pub(super) fn run(path: &Path) -> Result<()> {
    match simplejwt::translate(&dictionary(path)?) {
        Ok(configuration) => print!("{configuration}"),
        Err(refusals) => {
            let (last, others) = refusals.split_last().context("a refusal without a reason")?;
            for refusal in others {
                eprintln!("error: {OPTION}: {refusal}");
            }
            return Err(anyhow!("{OPTION}: {last}"));
        }
    }
    Ok(())
}

fn dictionary(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    let length = read.with_context(|| format!("{OPTION}: {} cannot be read", path.display()))?;
    ensure!(length as u64 <= MAX_BYTES, "{OPTION}: {} is longer than {MAX_BYTES} bytes", path.display());
    String::from_utf8(bytes).map_err(|_| anyhow!("{OPTION}: {} is not valid UTF-8", path.display()))
}
