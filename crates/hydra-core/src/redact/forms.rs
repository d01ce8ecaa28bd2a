//! The spellings of a known secret, and texts read as what they stand for.

use super::MIN_FORMS;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use std::fmt::Write;

/// The secret as it is, percent-encoded, JSON-escaped and in hexadecimal.
pub(super) fn plain(secret: &str) -> Vec<Vec<u8>> {
    let mut all = vec![secret.to_owned()];
    if secret.len() >= MIN_FORMS {
        let json = serde_json::Value::String(secret.to_owned()).to_string();
        let json = json[1..json.len() - 1].to_owned();
        let hex = crate::digest::hex(secret.as_bytes());
        all.extend([
            percent(secret, false),
            percent(secret, true),
            json.replace('/', "\\/"),
            json,
            hex.to_uppercase(),
            hex,
        ]);
    }
    all.sort();
    all.dedup();
    all.into_iter().map(String::into_bytes).collect()
}

fn percent(secret: &str, lower: bool) -> String {
    let mut text = String::new();
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else if lower {
            let _ = write!(text, "%{byte:02x}");
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The part of the secret's base64 that does not depend on what stands before and after it, at each of the three offsets,
/// in the standard and in the URL alphabet.
pub(super) fn base64(secret: &str) -> Vec<Vec<u8>> {
    if secret.len() < MIN_FORMS {
        return Vec::new();
    }
    let mut all = Vec::new();
    for offset in 0..3usize {
        let mut bytes = vec![0u8; offset];
        bytes.extend_from_slice(secret.as_bytes());
        let text = STANDARD_NO_PAD.encode(&bytes);
        // Digits that hold bits of nothing but the secret.
        let first = (offset * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        if let Some(sure) = text.get(first..last) {
            all.push(sure.replace('+', "-").replace('/', "_").into_bytes());
            all.push(sure.to_owned().into_bytes());
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The whole run of base64 digits around a match.
pub(super) fn base64_run(text: &str, start: usize, end: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let before = bytes[..start].iter().rev().take_while(|byte| digit(byte)).count();
    let after = bytes[end..].iter().take_while(|byte| digit(byte)).count();
    let padding = bytes[end + after..].iter().take(2).take_while(|byte| **byte == b'=').count();
    (start - before, end + after + padding)
}

/// A text read as what it stands for, with the place of each byte in the original.
pub(super) struct View {
    pub(super) text: String,
    /// For every byte of `text` the byte of the original that it came from; and the original's length at the end.
    origins: Vec<usize>,
}

impl View {
    pub(super) fn origin(&self, at: usize) -> usize {
        self.origins.get(at).copied().unwrap_or_default()
    }
}

/// What a place stands for and how many bytes of the original that takes; `None` where it stands for itself.
type Decode = fn(&[u8], usize) -> Option<(Decoded, usize)>;

/// One character, in UTF-8; or one byte that may be a part of one.
struct Decoded {
    bytes: [u8; 4],
    length: usize,
}

impl Decoded {
    const fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }
    fn character(letter: char) -> Self {
        let mut bytes = [0; 4];
        let length = letter.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The ways to read a text as what it stands for that may show something in this one, each with the byte that its escapes begin with.
fn readings(text: &str) -> impl Iterator<Item = (u8, Decode)> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let percent = memchr::memchr_iter(b'%', bytes).any(|at| hex(at + 1) && hex(at + 2));
    // Ordinary escapes of a known secret are needles of their own; only `\u` can spell any letter.
    let json = memchr::memchr_iter(b'\\', bytes).any(|at| bytes.get(at + 1) == Some(&b'u'));
    [percent.then_some((b'%', percent_decode as Decode)), json.then_some((b'\\', json_decode as Decode))]
        .into_iter()
        .flatten()
}

fn percent_decode(bytes: &[u8], at: usize) -> Option<(Decoded, usize)> {
    let digits = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
    (bytes[at] == b'%').then(|| u8::from_str_radix(digits, 16).ok()).flatten().map(|byte| (Decoded::byte(byte), 3))
}

fn json_decode(bytes: &[u8], at: usize) -> Option<(Decoded, usize)> {
    if bytes[at] != b'\\' {
        return None;
    }
    match bytes.get(at + 1)? {
        b'u' => {
            let digits = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
            let letter = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((Decoded::character(letter), 6))
        }
        b'n' => Some((Decoded::byte(b'\n'), 2)),
        b't' => Some((Decoded::byte(b'\t'), 2)),
        byte @ (b'"' | b'\\' | b'/') => Some((Decoded::byte(*byte), 2)),
        _ => None,
    }
}

/// The percent-decoded and the JSON-unescaped text, where they differ from it and may hide something.
pub(super) fn views(text: &str) -> Vec<View> {
    readings(text).map(|(_, decode)| view(text, decode)).collect()
}

/// The texts of the views alone, which cost much less than their places.
pub(super) fn hidden(text: &str) -> impl Iterator<Item = String> {
    readings(text).map(move |(begins, decode)| {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(ahead) = memchr::memchr(begins, &bytes[at..]) {
            out.extend_from_slice(&bytes[at..at + ahead]);
            at += ahead;
            match decode(bytes, at) {
                Some((decoded, used)) => {
                    out.extend_from_slice(decoded.as_bytes());
                    at += used;
                }
                None => {
                    out.push(begins);
                    at += 1;
                }
            }
        }
        out.extend_from_slice(&bytes[at..]);
        text_of(out)
    })
}

/// Builds a view by a decoder.
fn view(text: &str, decode: Decode) -> View {
    let bytes = text.as_bytes();
    let (mut out, mut origins) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len() + 1));
    let mut at = 0;
    while at < bytes.len() {
        let (decoded, used) = decode(bytes, at).unwrap_or((Decoded::byte(bytes[at]), 1));
        for byte in decoded.as_bytes() {
            out.push(*byte);
            origins.push(at);
        }
        at += used;
    }
    origins.push(bytes.len());
    View { text: text_of(out), origins }
}

/// What is not UTF-8 after decoding becomes `?`, one for one, so that the places stay right.
fn text_of(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.into_bytes().into_iter().map(|b| if b.is_ascii() { char::from(b) } else { '?' }).collect(),
    }
}
