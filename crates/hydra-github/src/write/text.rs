//! Texts as they are stored: the marker first, cut to what GitHub takes.

use hydra_core::ports::Marker;

/// GitHub's bound on a body. It counts characters; UTF-16 units are never fewer.
const BODY_UNITS: usize = 65_536;
const CUT: &str = "\n\n… (cut: GitHub takes no longer text)";

/// The marker on a line of its own, then the text, cut if need be.
pub(crate) fn marked(marker: &Marker, body: &str) -> String {
    cut(&format!("{marker}\n{body}"))
}

/// A text cut at a character boundary, with a note.
pub(crate) fn cut(text: &str) -> String {
    if text.encode_utf16().count() <= BODY_UNITS {
        return text.to_owned();
    }
    let room = BODY_UNITS - CUT.encode_utf16().count();
    let mut units = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        units += c.len_utf16();
        (units > room).then_some(at)
    });
    format!("{}{CUT}", &text[..end.unwrap_or(text.len())])
}

/// Whether a stored text bears the marker where this crate writes it: at the very beginning.
pub(crate) fn bears(stored: Option<&str>, marker: &Marker) -> bool {
    stored.is_some_and(|text| text.trim_start().starts_with(&marker.to_string()))
}

/// Whether two texts are the same but for line ends and white space at the end, which GitHub may change.
pub(crate) fn same(stored: Option<&str>, asked: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    plain(stored.unwrap_or_default()) == plain(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::Generation;

    #[test]
    fn a_text_that_is_too_long_keeps_its_marker_and_says_that_it_was_cut() {
        let marker = Marker { purpose: "status".into(), generation: Generation(2), key: String::new() };
        let stored = marked(&marker, &"🐍".repeat(60_000));
        assert!(stored.encode_utf16().count() <= BODY_UNITS);
        assert!(bears(Some(&stored), &marker));
        assert!(stored.ends_with(CUT));
        assert_eq!(marked(&marker, "short"), "<!-- hydra:status g2 -->\nshort");
    }

    #[test]
    fn a_marker_that_somebody_quotes_further_down_is_none() {
        let marker = Marker { purpose: "status".into(), generation: Generation(2), key: String::new() };
        assert!(!bears(Some("look: <!-- hydra:status g2 -->"), &marker));
        let other = Marker { generation: Generation(20), ..marker.clone() };
        assert!(!bears(Some(&marked(&other, "x")), &marker));
    }
}
