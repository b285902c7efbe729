//! Asking a person.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, bail, ensure};
use auth_accounts::password::RawPassword;

/// Asks for a line of text.
pub(super) fn ask(what: &str) -> Result<String> {
    ensure!(io::stdin().is_terminal(), "{what}: missing, and standard input is not a terminal");
    print!("{what}: ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Reads a password: from standard input, whole and without the line break at its end, or by asking for it twice.
pub(super) fn password(from_stdin: bool) -> Result<RawPassword> {
    if from_stdin {
        let mut text = io::read_to_string(io::stdin()).context("the password cannot be read from standard input")?;
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        ensure!(!text.is_empty(), "standard input holds no password");
        return Ok(RawPassword::new(text));
    }
    if !io::stdin().is_terminal() {
        bail!("standard input is not a terminal; use --password-stdin");
    }
    let password = rpassword::prompt_password("Password: ")?;
    ensure!(password == rpassword::prompt_password("Password (again): ")?, "the two passwords are not the same");
    Ok(RawPassword::new(password))
}

/// A text that may come from a stranger, as it may be printed: on one line, without what a terminal obeys or nobody sees.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, ends of lines and paragraphs, and marks that turn the direction of writing or take no room.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}
