//! `check-config --from-simplejwt`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use crate::config::simplejwt;

/// The longest file that is read, in bytes. A dictionary has a few thousand.
const MOST: u64 = 1024 * 1024;
const OPTION: &str = "--from-simplejwt";

/// Prints the configuration. Where it cannot be, says all that stands in its way, each on one line: the last one is the
/// error that the caller shows.
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
    let read = File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
    let length = read.with_context(|| format!("{OPTION}: {} cannot be read", path.display()))?;
    ensure!(length as u64 <= MOST, "{OPTION}: {} is longer than {MOST} bytes", path.display());
    String::from_utf8(bytes).map_err(|_| anyhow!("{OPTION}: {} is not valid UTF-8", path.display()))
}
