//! Takes secrets out of what is written: known ones in every spelling, unknown ones by their shape.
//! Used at three edges only: telemetry, audit log, what is published; and by the delivery rules to find secrets.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};
use sieve::Sieve;
use std::borrow::Cow;

mod forms;
mod shapes;
mod sieve;
mod stream;

pub use shapes::Shape;
pub use stream::Lines;

/// Known secrets shorter than this, in bytes, are masked as they are only: their other spellings would match by chance.
pub const MIN_FORMS: usize = 8;
/// Known secrets shorter than this, in bytes, are not masked at all: every text would be shredded. They are refused as secrets elsewhere.
pub const MIN_SECRET: usize = 4;

/// What a needle of the search stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needle {
    /// A known secret as it is, or escaped, or in hexadecimal: exactly the match is masked.
    Known(usize),
    /// A known secret in base64: the run of base64 around the match is masked, as its ends hold the secret's ends.
    Base64(usize),
    /// The beginning of something that has a shape.
    Shape(shapes::Shape),
}

/// Masks secrets. Cheap to share, costly to make: make one per set of secrets.
pub struct Redactor {
    search: Option<AhoCorasick>,
    sieve: Sieve,
    needles: Vec<Needle>,
    /// Names of the known secrets, never their values.
    names: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

/// A part of a text that is to be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    needle: Needle,
}

impl Redactor {
    /// From known secrets, each with the name that stands in its place: `[redacted:git:builder]`.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = (&'s str, &'s SecretString)>) -> Self {
        let (mut texts, mut needles, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (name, secret) in secrets {
            let secret = secret.expose_secret();
            let index = names.len();
            names.push(name.to_owned());
            // A secret of several lines (a private key) never stands on one line: each line is one too.
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= 16 && *line != secret.trim());
            for part in std::iter::once(secret.trim()).chain(lines).filter(|part| part.len() >= MIN_SECRET) {
                for text in forms::plain(part) {
                    texts.push(text);
                    needles.push(Needle::Known(index));
                }
                for text in forms::base64(part) {
                    texts.push(text);
                    needles.push(Needle::Base64(index));
                }
            }
        }
        for shape in shapes::Shape::ALL {
            for prefix in shape.prefixes() {
                texts.push((*prefix).to_owned().into_bytes());
                needles.push(Needle::Shape(*shape));
            }
        }
        // A search that cannot be built leaves none, and then everything is masked: fail closed.
        // Not the automaton of a table, which is the quickest and holds 1.2 MiB in every process: the sieve leaves it little to do.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let search = AhoCorasick::builder().match_kind(MatchKind::Standard).kind(kind).build(&texts).ok();
        // Addresses are everywhere; those with a password have an `@`, and that is looked for instead.
        let is_url = |needle: &Needle| *needle == Needle::Shape(Shape::UrlPassword);
        let sieve = Sieve::new(texts.iter().zip(&needles).map(|(text, n)| (!is_url(n)).then_some(text.as_slice())));
        Self { search, sieve, needles, names }
    }

    /// The line with every secret masked; the line itself where there is none.
    #[must_use]
    pub fn redact_line<'t>(&self, line: &'t str) -> Cow<'t, str> {
        if self.search.is_none() {
            return Cow::Borrowed("[redacted]");
        }
        let spans = self.spans(line);
        if spans.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut text = String::with_capacity(line.len());
        let mut at = 0;
        for span in spans {
            text.push_str(line.get(at..span.start).unwrap_or_default());
            text.push_str("[redacted:");
            text.push_str(self.name(span.needle));
            text.push(']');
            at = span.end;
        }
        text.push_str(line.get(at..).unwrap_or_default());
        Cow::Owned(text)
    }

    /// A whole text, keys of several lines included.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains('\n') {
            return self.redact_line(text);
        }
        let mut lines = self.lines();
        let mut changed = false;
        let mut out = String::with_capacity(text.len());
        for raw in text.split_inclusive('\n') {
            let line = raw.strip_suffix('\n').unwrap_or(raw);
            let clean = lines.redact(line);
            changed |= clean != line;
            out.push_str(&clean);
            out.push_str(&raw[line.len()..]);
        }
        if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
    }

    /// Line after line of one stream: remembers whether it is inside a private key.
    #[must_use]
    pub const fn lines(&self) -> Lines<'_> {
        Lines::new(self)
    }

    /// The kind or name of the first secret in a text that is one for certain: a known one, or of a shape that nothing else has.
    /// Headers and passwords in addresses are masked where they stand, but examples of them fill documents and tests.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&str> {
        if self.search.is_none() {
            return Some("the search could not be built");
        }
        let certain = |span: &&Span| match span.needle {
            Needle::Known(_) | Needle::Base64(_) => true,
            Needle::Shape(shape) => {
                shape.is_certain() && !text.get(span.start..span.end).is_some_and(shapes::is_example)
            }
        };
        self.spans(text).iter().find(certain).map(|span| self.name(span.needle))
    }

    fn name(&self, needle: Needle) -> &str {
        match needle {
            Needle::Known(index) | Needle::Base64(index) => self.names.get(index).map_or("secret", String::as_str),
            Needle::Shape(shape) => shape.as_str(),
        }
    }

    /// What is to be masked, in order, without overlap.
    fn spans(&self, text: &str) -> Vec<Span> {
        if self.is_clean(text) { Vec::new() } else { self.all_spans(text) }
    }

    /// Whether the full search would find nothing, at a fraction of its cost.
    fn is_clean(&self, text: &str) -> bool {
        !self.begins_one(text)
            && (memchr::memchr3(b'@', b'%', b'\\', text.as_bytes()).is_none()
                || !holds_password(text)
                    && !forms::hidden(text)
                        .any(|seen_through| self.begins_one(&seen_through) || holds_password(&seen_through)))
    }

    fn begins_one(&self, text: &str) -> bool {
        self.sieve.any(text.as_bytes(), |needle, start, end| {
            self.needles.get(needle).is_none_or(|needle| range(*needle, text, start, end).is_some())
        })
    }

    /// The full search.
    fn all_spans(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        self.search_in(text, &mut spans);
        // Mixed spellings (`%67hp_`, `\u0067hp_`) are searched in what they stand for; the parts are masked where they stand.
        for view in forms::views(text) {
            let mut found = Vec::new();
            self.search_in(&view.text, &mut found);
            spans.extend(found.into_iter().map(|span| Span {
                start: view.origin(span.start),
                end: view.origin(span.end),
                ..span
            }));
        }
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start < last.end => {
                    // A known secret's name says more than a shape's.
                    if matches!(last.needle, Needle::Shape(_)) && !matches!(span.needle, Needle::Shape(_)) {
                        last.needle = span.needle;
                    }
                    last.end = last.end.max(span.end);
                }
                _ => merged.push(span),
            }
        }
        merged
    }

    fn search_in(&self, text: &str, spans: &mut Vec<Span>) {
        let Some(search) = &self.search else { return };
        for found in search.find_overlapping_iter(text) {
            let Some(needle) = self.needles.get(found.pattern().as_usize()).copied() else { continue };
            let range = range(needle, text, found.start(), found.end());
            spans.extend(range.map(|(start, end)| Span { start, end, needle }));
        }
    }
}

/// Whether there is an address with a password in the text.
fn holds_password(text: &str) -> bool {
    memchr::memchr(b'@', text.as_bytes()).is_some()
        && memmem::find_iter(text.as_bytes(), b"://").any(|at| Shape::UrlPassword.extent(text, at, at + 3).is_some())
}

/// From where to where a needle that was found makes the text a secret; `None` when it is none there.
fn range(needle: Needle, text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    match needle {
        Needle::Known(_) => Some((start, end)),
        Needle::Base64(_) => Some(forms::base64_run(text, start, end)),
        Needle::Shape(shape) => shape.extent(text, start, end),
    }
}

#[cfg(test)]
mod tests;
