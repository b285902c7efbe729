//! Translation of a SIMPLE_JWT dictionary: which configuration makes this service do the same, and what cannot be done
//! here. What each setting means stands in `settings`; nothing is left out in silence.

mod dictionary;
mod duration;
mod keys;
mod page;
mod read;
mod settings;

use dictionary::Dictionary;
use page::Page;
use settings::SETTINGS;

/// The configuration, in TOML, that does in the profile `simplejwt` what a SIMPLE_JWT dictionary (JSON) does. What it
/// does not name is as SimpleJWT has it by itself.
///
/// # Errors
/// All that cannot be done here, each on one line that begins with the name of the setting. No line and no
/// configuration has a key or secret in it.
pub fn translate(json: &str) -> Result<String, Vec<String>> {
    let dictionary = Dictionary::parse(json).map_err(|refusal| vec![refusal])?;
    let (mut page, mut refusals) = (Page::default(), Vec::new());
    for setting in SETTINGS {
        match setting.translate(&dictionary) {
            Ok(outcome) => page.add(setting, &dictionary, outcome),
            Err(reason) => refusals.push(format!("{}: {reason}", setting.name)),
        }
    }
    refusals.extend(clashes_of_names(&dictionary));
    let unknown = dictionary.names().filter(|name| SETTINGS.iter().all(|setting| setting.name != *name));
    refusals.extend(unknown.map(|name| {
        format!("{}: is no setting of SimpleJWT, which ignores it in silence; mend or remove it", read::shown(name))
    }));
    if refusals.is_empty() { Ok(page.into_text()) } else { Err(refusals) }
}

/// Two claims of one name. Each is a good name by itself, so that no single setting is to blame.
fn clashes_of_names(dictionary: &Dictionary) -> Vec<String> {
    const NAMING: [&str; 4] = ["TOKEN_TYPE_CLAIM", "JTI_CLAIM", "USER_ID_CLAIM", "SLIDING_TOKEN_REFRESH_EXP_CLAIM"];
    let naming: Vec<_> = SETTINGS.iter().filter(|setting| NAMING.contains(&setting.name)).collect();
    let mut clashes = Vec::new();
    for (place, first) in naming.iter().enumerate() {
        for second in &naming[place + 1..] {
            if first.value(dictionary).is_some_and(|name| name.is_string() && Some(name) == second.value(dictionary)) {
                clashes.push(format!("{}, {}: must be different names", first.name, second.name));
            }
        }
    }
    clashes
}

#[cfg(test)]
mod tests;
