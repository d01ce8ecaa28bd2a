//! Reads one JSON line of a stream: borrowed where it can be, mended where a CLI let control characters or broken UTF-8 through.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Parses a line and hands the value to `then`. Whether it could be read.
pub fn decode<'l, T, R>(line: &'l [u8], scratch: &'l mut String, then: impl FnOnce(T) -> R) -> Option<R>
where
    T: Deserialize<'l>,
{
    if let Ok(value) = serde_json::from_slice::<T>(line) {
        return Some(then(value));
    }
    if !line.iter().any(|byte| *byte < 0x20 || *byte >= 0x80) {
        return None;
    }
    *scratch = String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    serde_json::from_str::<T>(scratch).ok().map(then)
}

/// A string, borrowed from the line where it has no escapes. Anything else in its place reads as empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// The size of a value's text, without keeping it: strings count their bytes, lists and objects the sum of what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Visitor<'de> for Size {
    type Value = Self;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self, E> {
        Ok(Self(text.len() as u64))
    }
    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(Self(0))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(Self(0))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(Self(0))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(Self(0))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(Self(0))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let mut sum = 0u64;
        while let Some(Self(size)) = seq.next_element()? {
            sum = sum.saturating_add(size);
        }
        Ok(Self(sum))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut sum = 0u64;
        while let Some((IgnoredAny, Self(size))) = map.next_entry()? {
            sum = sum.saturating_add(size);
        }
        Ok(Self(sum))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(0))
    }
}

/// Reads a field, and takes one of another shape for absent: a CLI's new version must not blind the reader to the rest of the line.
pub fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Probe<'a> {
        #[serde(borrow)]
        text: Text<'a>,
        #[serde(default)]
        size: Size,
    }

    #[test]
    fn control_characters_and_broken_utf8_do_not_hide_a_line() {
        let mut scratch = String::new();
        let line = b"{\"text\":\"a\x01b\xff\",\"size\":[\"abc\",{\"x\":\"de\"}]}";
        let (text, size) =
            decode::<Probe<'_>, _>(line, &mut scratch, |probe| (probe.text.0.into_owned(), probe.size.0)).unwrap();
        assert_eq!((text.as_str(), size), ("a b\u{fffd}", 5));
        assert!(decode::<Probe<'_>, _>(b"{\"text\":\"cut in the mid", &mut String::new(), |_| ()).is_none());
    }
}
