//! QR codes for authenticators.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use qrcode::render::svg;
use qrcode::{Color, QrCode};

/// Width of the light border, in modules (ISO/IEC 18004 §6.3.8).
const QUIET_ZONE: usize = 4;
/// Width of a module in the PNG image, in pixels.
const SCALE: usize = 6;

/// A QR code in two formats.
pub(crate) struct Qr {
    /// An SVG document.
    pub(crate) svg: String,
    /// A PNG image as a `data:` URL (RFC 2397).
    pub(crate) png: String,
}

impl Qr {
    /// Encodes a string; returns `None` if it is too long or the image cannot be encoded.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let code = QrCode::new(text.as_bytes()).ok()?;
        let svg = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
        let png = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png_of(&code)?));
        Some(Self { svg, png })
    }
}

fn png_of(code: &QrCode) -> Option<Vec<u8>> {
    let modules = code.width();
    let side = (modules + 2 * QUIET_ZONE) * SCALE;
    let is_dark = |pixel: usize| (pixel / SCALE).checked_sub(QUIET_ZONE).filter(|module| *module < modules);
    let shade = |x, y| match is_dark(x).zip(is_dark(y)) {
        Some(module) if code[module] == Color::Dark => 0,
        _ => u8::MAX,
    };
    let pixels: Vec<u8> = (0..side).flat_map(|y| (0..side).map(move |x| shade(x, y))).collect();
    let (mut bytes, length) = (Vec::new(), u32::try_from(side).ok()?);
    let mut encoder = png::Encoder::new(&mut bytes, length, length);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "otpauth://totp/A%26B:alice?secret=MZXW6YTBOI&issuer=A%26B&algorithm=SHA1&digits=6&period=30";

    /// Decodes a QR code with an independent library.
    fn read(side: usize, shade: impl FnMut(usize, usize) -> u8) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn the_png_is_decoded_by_an_independent_library() {
        let url = Qr::of(TEXT).unwrap().png;
        let bytes = BASE64_STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let side = reader.next_frame(&mut pixels).unwrap().width as usize;
        assert_eq!(read(side, |x, y| pixels[y * side + x]), TEXT);
    }

    #[test]
    fn the_svg_has_the_same_modules() {
        let svg = Qr::of(TEXT).unwrap().svg;
        let code = QrCode::new(TEXT).unwrap();
        let dark = code.to_colors().iter().filter(|color| **color == Color::Dark).count();
        // The path has one `M` for each run of dark modules in a row, or for each module.
        let moves = svg.matches('M').count();
        assert!(svg.starts_with("<?xml") && (1..=dark).contains(&moves), "{moves} of {dark}: {svg}");
        assert!(!svg.contains("otpauth"), "the secret must not appear as text");
    }

    #[test]
    fn refuses_a_string_that_is_too_long() {
        assert!(Qr::of(&"x".repeat(5_000)).is_none());
    }
}
