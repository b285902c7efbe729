//! The path prefix of the service.

use crate::routes::RouteError;

/// Normalises a prefix: the result is empty, or has a leading slash and no trailing one.
///
/// Segments may contain the characters of RFC 3986 §3.3 but no percent-encoding, because patterns match decoded paths.
pub(super) fn normalized(prefix: &str) -> Result<String, RouteError> {
    let trimmed = prefix.trim_matches('/');
    if trimmed.is_empty() {
        return Ok(String::new());
    }
    if trimmed.split('/').all(is_segment) {
        Ok(format!("/{trimmed}"))
    } else {
        Err(RouteError::BadPrefix(prefix.to_owned()))
    }
}

fn is_segment(segment: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    !["", ".", ".."].contains(&segment) && segment.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_with_or_without_slashes() {
        for (prefix, expected) in [
            ("", Some("")),
            ("/", Some("")),
            ("auth", Some("/auth")),
            ("/auth", Some("/auth")),
            ("auth/", Some("/auth")),
            ("/auth/", Some("/auth")),
            ("/internal/auth-v1.2/", Some("/internal/auth-v1.2")),
            ("/a//b", None),
            ("/a/../b", None),
            ("/.", None),
            ("/{tenant}", None),
            ("/a b", None),
            ("/a%20b", None),
            ("/a?b", None),
            ("/a#b", None),
            ("/ä", None),
            ("/a\nb", None),
            ("https://example.com/auth", None),
        ] {
            let found = normalized(prefix);
            assert_eq!(found.as_deref().ok(), expected, "{prefix:?}");
            assert!(found.is_ok() || !found.unwrap_err().to_string().contains('\n'), "error spans lines");
        }
    }
}
