//! Prompts, and output that is safe for a terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, bail, ensure};
use auth_accounts::password::RawPassword;

/// Prompts for a line.
pub(super) fn ask(what: &str) -> Result<String> {
    ensure!(io::stdin().is_terminal(), "{what}: missing, and standard input is not a terminal");
    print!("{what}: ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Reads a password: all of standard input without the trailing line break, or the answer to a prompt that is repeated.
pub(super) fn password(from_stdin: bool) -> Result<RawPassword> {
    if from_stdin {
        let mut password =
            io::read_to_string(io::stdin()).context("the password cannot be read from standard input")?;
        password.truncate(password.trim_end_matches(['\r', '\n']).len());
        ensure!(!password.is_empty(), "standard input is empty; it must contain the password");
        return Ok(RawPassword::new(password));
    }
    if !io::stdin().is_terminal() {
        bail!("standard input is not a terminal; use --password-stdin");
    }
    let password = rpassword::prompt_password("Password: ")?;
    ensure!(password == rpassword::prompt_password("Password (again): ")?, "the two passwords do not match");
    Ok(RawPassword::new(password))
}

/// Makes an untrusted string safe to print on one line: replaces characters that control the terminal or are invisible.
pub(super) fn printable(untrusted: &str) -> String {
    untrusted.chars().map(|c| if is_unsafe(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, line and paragraph separators, bidirectional controls and zero-width characters.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}
