//! URL-encoded and multipart bodies. Every field is a string, except an uploaded file.

use std::convert::Infallible;

use actix_web::web::Bytes;
use futures_util::stream;
use multer::Multipart;

use super::{Field, Fields};

/// Parses `application/x-www-form-urlencoded` (WHATWG URL §5.1), which cannot be malformed.
pub(crate) fn parse_urlencoded(bytes: &[u8]) -> Fields {
    form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), Field::Text(value.into_owned()))).collect()
}

/// Parses `multipart/form-data` (RFC 7578). The error is the message of the parser.
pub(crate) async fn parse_multipart(bytes: Bytes, boundary: &str) -> Result<Fields, String> {
    let body = stream::iter([Ok::<_, Infallible>(bytes)]);
    let mut parts = Multipart::new(body, boundary);
    let mut fields = Fields::new();
    while let Some(part) = parts.next_field().await.map_err(|error| error.to_string())? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let field = if part.file_name().is_some() {
            Field::Composite
        } else {
            let bytes = part.bytes().await.map_err(|error| error.to_string())?;
            Field::Text(String::from_utf8_lossy(&bytes).into_owned())
        };
        fields.insert(name, field);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_urlencoded_fields() {
        let fields = parse_urlencoded(b"a=1&a=2&b=x+y%21&c=%FF&d");
        let text = |name: &str| fields[name].clone();
        assert_eq!(text("a"), Field::Text("2".to_owned()));
        assert_eq!(text("b"), Field::Text("x y!".to_owned()));
        assert_eq!(text("c"), Field::Text("\u{FFFD}".to_owned()));
        assert_eq!(text("d"), Field::Text(String::new()));
    }

    #[actix_web::test]
    async fn parses_multipart_fields_and_files() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx y\r\n--B\r\n\
                    Content-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nhello\r\n--B--\r\n";
        let fields = parse_multipart(Bytes::from_static(body.as_bytes()), "B").await.unwrap();
        assert_eq!(fields["a"], Field::Text("x y".to_owned()));
        assert_eq!(fields["f"], Field::Composite);
        let cut = Bytes::from_static(&body.as_bytes()[..40]);
        assert!(parse_multipart(cut, "B").await.is_err());
    }
}
