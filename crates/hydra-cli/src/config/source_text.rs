//! The text of `hydra.toml` with the place of every key, and a copy of it that may be shown: whatever could be a secret is masked.

use super::problem::{Place, Problem, Problems};
use miette::NamedSource;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use toml_edit::{Document, Item, TableLike};

/// What to do about a file that is not TOML.
pub(super) const TOML: &str = "look at the marked place: texts stand in quotes, lists in [], each key once; `hydra init` in an empty folder writes a whole example";

/// A parsed `hydra.toml`.
#[derive(Debug)]
pub struct SourceText {
    /// Where it lies.
    pub path: PathBuf,
    text: String,
    shown: Arc<NamedSource<String>>,
    doc: Document<String>,
}

impl SourceText {
    /// Parses.
    ///
    /// # Errors
    /// When it is not TOML; the place is named, the offending text is shown masked.
    pub fn parse(path: &Path, text: String) -> Result<Self, Problems> {
        let shown = Arc::new(NamedSource::new(path.display().to_string(), mask(&text)));
        match Document::parse(text.clone()) {
            Ok(doc) => Ok(Self { path: path.to_owned(), text, shown, doc }),
            Err(error) => {
                let range = error.span().unwrap_or(0..0);
                let place = place(path, &text, &shown, range);
                let message = crate::output::mask::scrub(error.message());
                Err(Problem::config(format!("this is not valid TOML: {message}"), TOML).at(place).into())
            }
        }
    }

    /// The root table.
    #[must_use]
    pub fn table(&self) -> &dyn TableLike {
        self.doc.as_table()
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The place of some bytes.
    #[must_use]
    pub fn place(&self, range: Range<usize>) -> Place {
        place(&self.path, &self.text, &self.shown, range)
    }

    /// The place of a key, `github.org`, where the file has it.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Option<Place> {
        Some(self.place(self.item(key)?.span()?))
    }

    /// The place of one entry of a list; of the list's key where it has no such entry.
    #[must_use]
    pub fn place_of_entry(&self, key: &str, at: usize) -> Option<Place> {
        let entry =
            self.item(key).and_then(Item::as_array).and_then(|list| list.get(at)).and_then(|entry| entry.span());
        entry.map_or_else(|| self.place_of(key), |range| Some(self.place(range)))
    }

    /// The item of a key, or of as much of it as the file has.
    fn item(&self, key: &str) -> Option<&Item> {
        let mut table: &dyn TableLike = self.doc.as_table();
        let mut parts = parts(key).into_iter().peekable();
        let mut found: Option<&Item> = None;
        while let Some(part) = parts.next() {
            let Some(item) = table.get(part) else { break };
            found = Some(item);
            match item.as_table_like() {
                Some(inner) if parts.peek().is_some() => table = inner,
                _ => break,
            }
        }
        found
    }
}

/// The parts of a key; one in quotes may hold dots.
fn parts(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (part, after) = quoted.unwrap_or_else(|| rest.split_at(rest.find('.').unwrap_or(rest.len())));
        parts.push(part);
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    parts
}

fn place(path: &Path, text: &str, shown: &Arc<NamedSource<String>>, range: Range<usize>) -> Place {
    let line = hydra_core::diagnostic::line_of(text, range.start);
    // A table's span is its whole body: the first line is enough to point at.
    let end = text[range.start.min(text.len())..].find('\n').map_or(range.end, |at| range.end.min(range.start + at));
    Place {
        file: path.display().to_string(),
        line: Some(line),
        excerpt: Some(Box::new((range.start..end.max(range.start), Arc::clone(shown)))),
    }
}

/// The text with every value masked that looks like a secret or stands beside a key that sounds like one, and without control characters, which
/// would act on a terminal. Keeps every byte's place.
fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if crate::output::mask::sounds_secret(line)
            && let Some(at) = line.find('=')
        {
            let (key, value) = line.split_at(at + 1);
            out.push_str(&crate::output::mask::stars(key, false));
            out.push_str(&crate::output::mask::stars(value, true));
        } else {
            out.push_str(&crate::output::mask::stars(line, false));
        }
    }
    crate::output::mask::tame(&out)
}
