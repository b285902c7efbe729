//! Which patterns of paths match whatever another one matches.

/// Whether a pattern matches every path that a later one does, as far as that can be told without comparing regular
/// expressions.
pub(super) fn hides(earlier: &str, later: &str) -> bool {
    let (earlier, later) = (segments(&shape(earlier)), segments(&shape(later)));
    let cover = |segments: &[String]| segments.iter().zip(&later).all(|(by, segment)| covers(by, segment));
    match earlier.split_last() {
        Some((tail, others)) if matches!(tail.as_str(), "{}*" | "{:.*}") => later.len() > others.len() && cover(others),
        _ => earlier.len() == later.len() && cover(&earlier),
    }
}

/// Whether one segment of a pattern matches everything that a segment of another one does: they are equal, or the first is
/// `{name}` and the other is a string or a parameter that cannot contain a slash.
fn covers(by: &str, segment: &str) -> bool {
    let without_classes = segment.replace(r"\d", "").replace(r"\w", "");
    let may_contain_slashes = segment.contains("{:") && without_classes.contains(['.', '^', '\\', '/']);
    by == segment || (by == "{}" && !segment.is_empty() && !segment.ends_with("}*") && !may_contain_slashes)
}

/// The segments of a pattern. A slash within braces belongs to a regular expression and separates nothing.
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

/// A pattern without the names of its parameters: two that differ in nothing else match the same paths. Braces within a
/// parameter belong to its regular expression.
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
