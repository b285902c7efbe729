//! Comparison of path patterns: whether one matches every path that another one matches.

/// Whether `earlier` matches every path that `later` matches, as far as that can be decided without comparing regular
/// expressions.
pub(super) fn hides(earlier: &str, later: &str) -> bool {
    let (earlier, later) = (segments(&shape(earlier)), segments(&shape(later)));
    let cover = |segments: &[String]| segments.iter().zip(&later).all(|(by, segment)| covers(by, segment));
    match earlier.split_last() {
        // A tail pattern matches one or more further segments.
        Some((tail, others)) if matches!(tail.as_str(), "{}*" | "{:.*}") => later.len() > others.len() && cover(others),
        _ => earlier.len() == later.len() && cover(&earlier),
    }
}

/// Whether the segment `by` matches everything that `segment` matches: they are equal, or `by` is `{name}` and `segment`
/// cannot match a slash.
fn covers(by: &str, segment: &str) -> bool {
    let without_classes = segment.replace(r"\d", "").replace(r"\w", "");
    let may_contain_slashes = segment.contains("{:") && without_classes.contains(['.', '^', '\\', '/']);
    by == segment || (by == "{}" && !segment.is_empty() && !segment.ends_with("}*") && !may_contain_slashes)
}

/// Splits a pattern at slashes, except within braces, where a slash belongs to a regular expression.
fn segments(pattern: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let is_boundary = |character: char| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == '/' && depth == 0
    };
    pattern.split(is_boundary).map(str::to_owned).collect()
}

/// Removes the names of the parameters from a pattern: patterns that differ only in names match the same paths. Braces within
/// a parameter belong to its regular expression.
fn shape(pattern: &str) -> String {
    let (mut shape, mut depth, mut is_name) = (String::new(), 0_usize, false);
    for character in pattern.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_name &= !matches!(character, ':' | '}');
        if !is_name {
            shape.push(character);
        }
        is_name |= character == '{' && depth == 1;
    }
    shape
}
