//! What was handed out, counted where it leaves: the truth that Hydra's own figures are held against.

use hydra_core::{ModelName, Tokens};
use std::collections::BTreeMap;

/// One sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tokens of all whole answers.
    pub tokens: Tokens,
    /// Whole answers.
    pub answers: u64,
    /// Requests that ended in a fault; they cost nothing.
    pub faults: u64,
}

/// All sums since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Per session, by the name of the job (`Hydra-Job:`). Side questions of a CLI are not in here.
    pub sessions: BTreeMap<String, Counts>,
    /// Side questions of a CLI (titles, quota probes).
    pub side: Counts,
    /// Per credential, by the first twelve hexadecimal digits of its SHA-256.
    pub credentials: BTreeMap<String, Counts>,
    /// Per model, as it was asked for.
    pub models: BTreeMap<ModelName, Counts>,
    /// Everything.
    pub all: Counts,
}

/// One request as it came in, for tests that ask what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLog {
    /// Method and path.
    pub line: String,
    /// The session, where it has one.
    pub job: Option<String>,
    /// The model that was asked.
    pub model: String,
    /// As in [`UsageTotals::credentials`].
    pub credential: String,
    /// The status of the answer.
    pub status: u16,
}

impl UsageTotals {
    /// Adds one request's end: its tokens, or `None` for a fault.
    pub(crate) fn add(&mut self, job: Option<&str>, credential: &str, model: &str, tokens: Option<Tokens>) {
        let session = match job {
            Some(job) => self.sessions.entry(job.to_owned()).or_default(),
            None => &mut self.side,
        };
        let mut sums = vec![session, self.credentials.entry(credential.to_owned()).or_default(), &mut self.all];
        if let Ok(model) = model.parse() {
            sums.push(self.models.entry(model).or_default());
        }
        for sum in sums {
            match tokens {
                Some(tokens) => {
                    sum.tokens += tokens;
                    sum.answers += 1;
                }
                None => sum.faults += 1,
            }
        }
    }
}
