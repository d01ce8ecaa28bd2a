//! What is wrong with the configuration, where, and what to do: a list, so that a person mends everything at once. Never a value of a secret.

use crate::exit::Exit;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use std::{fmt, ops::Range, path::Path, sync::Arc};

/// A place in a file, with the text around it where that may be shown.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file as people know it.
    pub file: String,
    /// Line, from 1.
    pub line: Option<u32>,
    /// The bytes that are meant, and the masked text that they lie in. Absent for files that hold secrets.
    pub excerpt: Option<Box<Excerpt>>,
}

/// Bytes of a text, and the text.
pub type Excerpt = (Range<usize>, Arc<NamedSource<String>>);

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self { file: path.display().to_string(), line: None, excerpt: None }
    }
    /// A line of a file whose text must not be shown.
    #[must_use]
    pub fn line(path: &Path, line: u32) -> Self {
        Self { line: Some(line), ..Self::file(path) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// [`Exit::Configuration`] or [`Exit::Credentials`].
    pub exit: Exit,
    /// Where.
    pub place: Option<Place>,
    /// The key of `hydra.toml` whose value is meant, where it is one.
    pub key: Option<String>,
    /// What: one sentence, without its place.
    pub message: String,
    /// What to do: nobody is told what is wrong without it.
    pub help: String,
}

impl Problem {
    /// A problem of the configuration.
    pub fn config(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, place: None, key: None, message: message.into(), help: help.into() }
    }
    /// A problem of a credential. The message must not hold its value.
    pub fn credential(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit: Exit::Credentials, ..Self::config(message, help) }
    }
    /// Where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
    /// Where, if it is known.
    #[must_use]
    pub fn maybe_at(mut self, place: Option<Place>) -> Self {
        self.place = place.or(self.place);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        let (_, source) = self.place.as_ref()?.excerpt.as_deref()?;
        Some(source.as_ref())
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (range, _) = self.place.as_ref()?.excerpt.as_deref()?;
        let span = SourceSpan::from(range.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, span))))
    }
}

/// Everything that is wrong; at least one.
#[derive(Debug, Clone)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The exit code: that of the configuration goes before that of the credentials.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.0.iter().any(|problem| problem.exit == Exit::Configuration) {
            Exit::Configuration
        } else {
            Exit::Credentials
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
