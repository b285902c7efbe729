//! Translation of a SIMPLE_JWT dictionary to the equivalent configuration. `settings` has a row for each setting; what cannot
//! be translated is refused, never ignored.

mod dictionary;
mod duration;
mod keys;
mod read;
mod settings;
mod writer;

use dictionary::Dictionary;
use settings::SETTINGS;
use writer::Writer;

/// Translates a SIMPLE_JWT dictionary (JSON) to the equivalent configuration (TOML) for the profile `simplejwt`. Settings
/// that the dictionary does not set get SimpleJWT's defaults.
///
/// # Errors
/// One line for each setting that cannot be translated, which begins with its name. Neither the configuration nor an error
/// contains a key or a secret.
pub fn translate(json: &str) -> Result<String, Vec<String>> {
    let dictionary = Dictionary::parse(json).map_err(|refusal| vec![refusal])?;
    let (mut writer, mut refusals) = (Writer::default(), Vec::new());
    for setting in SETTINGS {
        match setting.translate(&dictionary) {
            Ok(outcome) => writer.add(setting, &dictionary, outcome),
            Err(reason) => refusals.push(format!("{}: {reason}", setting.name)),
        }
    }
    refusals.extend(duplicate_claim_names(&dictionary));
    let unknown = dictionary.names().filter(|name| SETTINGS.iter().all(|setting| setting.name != *name));
    refusals.extend(unknown.map(|name| {
        format!(
            "{}: not a setting of SimpleJWT, which silently ignores it; correct or remove it",
            read::displayed(name)
        )
    }));
    if refusals.is_empty() { Ok(writer.into_toml()) } else { Err(refusals) }
}

/// Refuses pairs of settings that name the same claim. Each name is valid by itself, so this cannot be checked for one
/// setting.
fn duplicate_claim_names(dictionary: &Dictionary) -> Vec<String> {
    const NAMING: [&str; 4] = ["TOKEN_TYPE_CLAIM", "JTI_CLAIM", "USER_ID_CLAIM", "SLIDING_TOKEN_REFRESH_EXP_CLAIM"];
    let naming: Vec<_> = SETTINGS.iter().filter(|setting| NAMING.contains(&setting.name)).collect();
    let mut duplicates = Vec::new();
    for (place, first) in naming.iter().enumerate() {
        for second in &naming[place + 1..] {
            if first.value(dictionary).is_some_and(|name| name.is_string() && Some(name) == second.value(dictionary)) {
                duplicates.push(format!("{}, {}: must be different names", first.name, second.name));
            }
        }
    }
    duplicates
}

#[cfg(test)]
mod tests;
