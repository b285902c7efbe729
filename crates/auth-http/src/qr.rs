//! QR codes, for what an authenticator is to read.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use qrcode::render::svg;
use qrcode::{Color, QrCode};

/// Light modules around the code (ISO/IEC 18004 §6.3.8).
const QUIET_ZONE: usize = 4;
/// Pixels of one module.
const SCALE: usize = 6;

/// A QR code, in two formats.
pub(crate) struct Qr {
    /// An SVG document.
    pub(crate) svg: String,
    /// A PNG image as a `data:` URL (RFC 2397).
    pub(crate) png: String,
}

impl Qr {
    /// The code of a text; `None` if it is too long for one, or the image cannot be written.
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
        Some(place) if code[place] == Color::Dark => 0,
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
