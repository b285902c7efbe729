//! Media types as clients write them.

use std::borrow::Cow;

use mime::Mime;

/// Parses a media type, with optional white space around each `;` (RFC 9110 §5.6.6), of which the `mime` crate accepts
/// only spaces after it.
pub(crate) fn parse_media_type(text: &str) -> Option<Mime> {
    without_space_around_semicolons(text.trim_matches([' ', '\t'])).parse().ok()
}

fn without_space_around_semicolons(text: &str) -> Cow<'_, str> {
    if !text.contains([' ', '\t']) {
        return text.into();
    }
    let (mut kept, mut is_quoted) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if c == ';' && !is_quoted {
            kept.truncate(kept.trim_end_matches([' ', '\t']).len());
        } else if [' ', '\t'].contains(&c) && !is_quoted && kept.ends_with(';') {
            continue;
        }
        is_quoted ^= c == '"';
        kept.push(c);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_semicolons_is_optional() {
        for text in [
            "application/json;charset=utf-8",
            "application/json; charset=utf-8",
            "application/json ;charset=utf-8",
            "application/json \t; \tcharset=utf-8",
            " application/json ; charset=utf-8\t",
            "application/json ; charset=\"utf-8\"",
        ] {
            let media = parse_media_type(text).unwrap_or_else(|| panic!("{text:?}"));
            assert_eq!(
                (media.essence_str(), media.get_param("charset").unwrap().as_str()),
                ("application/json", "utf-8")
            );
        }
        let quoted = parse_media_type(r#"multipart/form-data ; boundary="a ; b" ; x=y"#).unwrap();
        assert_eq!(quoted.get_param("boundary").unwrap(), "a ; b");
        assert_eq!(quoted.get_param("x").unwrap(), "y");
        for text in ["", "application", "application / json", "application/js on", "application/json charset=utf-8"] {
            assert_eq!(parse_media_type(text), None, "{text:?}");
        }
    }
}
