//! A job's event lines, added up: spend by the price table, turns, what it does now, how it ended. The same for a live and for an ended job.

use hydra_core::{
    ModelName, Timestamp,
    agent_event::{AgentEnd, AgentEvent, EventKind, MAX_LINE, SCHEMA, Trouble},
    plan::Progress,
    prices::PriceTable,
    redact::Redactor,
};
use std::borrow::Cow;

/// Lines that could not be read are counted and kept as this many examples.
const GARBAGE_SAMPLES: usize = 3;
/// Refused hosts that are kept.
const DENIED: usize = 50;
/// What a job does now is told in so many characters.
const DOING: usize = 120;

/// What the lines say so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// For the planner and for people.
    pub progress: Progress,
    /// Any event came at all.
    pub alive: bool,
    /// How the agent's run ended, once it said so.
    pub end: Option<AgentEnd>,
    /// Hosts that the fence refused, with reason.
    pub denied: Vec<(String, String)>,
    /// The newest trouble with the provider.
    pub trouble: Option<(Trouble, Option<Timestamp>, String)>,
    /// Model that answered, where the stream says it.
    pub model: Option<ModelName>,
    /// Lines that are not events.
    pub garbage: u32,
    /// The first of them, cut.
    pub garbage_samples: Vec<String>,
    /// A response of a model that has no price.
    pub unpriced: Option<ModelName>,
}

/// One line as an event; `None` for garbage: cut in the middle, too long, of a version that is not read.
#[must_use]
pub fn parse(line: &str) -> Option<AgentEvent> {
    if line.len() > MAX_LINE {
        return None;
    }
    let event = AgentEvent::from_line(line).ok()?;
    (event.v == SCHEMA || event.v + 1 == SCHEMA).then_some(event)
}

/// A whole file of lines, each redacted before anything of it is read: what they add up to, and the events themselves.
#[must_use]
pub fn read(
    bytes: &[u8],
    redactor: &Redactor,
    prices: &PriceTable,
    fallback: Option<&ModelName>,
) -> (Tally, Vec<AgentEvent>) {
    let mut tally = Tally::default();
    // A guess at the number of events: the list is seldom moved.
    let mut events = Vec::with_capacity(bytes.len() / 200);
    // One look at the whole file is a third of the work of a look at each line; a file with a damaged line is looked at line by line.
    let whole = std::str::from_utf8(bytes).ok();
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let mut start = 0;
    for (start, end) in ends.map(|end| (std::mem::replace(&mut start, end + 1), end)) {
        let line = &bytes[start..end];
        // An over-long line is garbage whatever it holds: it is not even decoded.
        if line.len() > MAX_LINE {
            tally.garbage = tally.garbage.saturating_add(1);
            continue;
        }
        let known = whole.and_then(|whole| whole.get(start..end)).map(Cow::Borrowed);
        let text = known.unwrap_or_else(|| String::from_utf8_lossy(line));
        let text = redactor.redact_line(&text);
        events.extend(tally.line(&text, prices, fallback));
    }
    (tally, events)
}

impl Tally {
    /// Adds one line. `fallback` is the model that the job was started with. Returns the event, if it is one.
    pub fn line(&mut self, line: &str, prices: &PriceTable, fallback: Option<&ModelName>) -> Option<AgentEvent> {
        let Some(event) = parse(line) else {
            if !line.trim().is_empty() {
                self.garbage = self.garbage.saturating_add(1);
                if self.garbage_samples.len() < GARBAGE_SAMPLES {
                    self.garbage_samples.push(line.chars().take(200).collect());
                }
            }
            return None;
        };
        self.event(&event, prices, fallback);
        Some(event)
    }

    fn event(&mut self, event: &AgentEvent, prices: &PriceTable, fallback: Option<&ModelName>) {
        self.alive = true;
        self.progress.last_event = Some(self.progress.last_event.map_or(event.ts, |last| last.max(event.ts)));
        match &event.kind {
            EventKind::Step { step, detail } => self.doing(&[step, ": ", detail]),
            EventKind::Started { driver, model, .. } => {
                self.model = model.clone().or(self.model.take());
                self.doing(&[driver, " began"]);
            }
            EventKind::Turn { tokens, model, .. } => {
                let spend = &mut self.progress.spend;
                spend.turns = spend.turns.saturating_add(1);
                spend.tokens += *tokens;
                let model = model.as_ref().or(self.model.as_ref()).or(fallback);
                // A provider may answer with a dated name of the model that was asked for: then the price of the asked one holds.
                let price = |model: &ModelName| prices.find(model).or_else(|| prices.find(fallback?));
                match model.map(price) {
                    Some(Some(price)) => spend.cost += price.cost(*tokens),
                    Some(None) => self.unpriced = model.cloned(),
                    None => {}
                }
            }
            EventKind::Text { text } => self.doing(&[text.lines().next().unwrap_or_default()]),
            EventKind::Tool { name, path, command, .. } => {
                self.progress.tools = self.progress.tools.saturating_add(1);
                let what = path.as_deref().or(command.as_deref()).unwrap_or_default();
                self.doing(&[name, " ", what]);
            }
            EventKind::ToolResult { .. } => {}
            EventKind::Provider { trouble, until, detail } => {
                self.trouble = Some((*trouble, *until, detail.clone()));
                self.doing(&["the provider: ", detail]);
            }
            EventKind::Command { name, exit, .. } => self.doing(&[name, ": exit ", &exit.to_string()]),
            EventKind::Denied { host, reason, .. } => {
                if self.denied.len() < DENIED {
                    self.denied.push((host.clone(), reason.clone()));
                }
            }
            EventKind::Ended { end, .. } => self.end = Some(end.clone()),
        }
    }

    /// What it does now, from parts of a sentence: its first 120 characters, on one line.
    fn doing(&mut self, parts: &[&str]) {
        let doing = &mut self.progress.doing;
        doing.clear();
        let mut left = DOING;
        for part in parts {
            // Nearly all of it is plain text, and a look at its beginning tells.
            let head = part.as_bytes().get(..left.min(part.len())).unwrap_or_default();
            if head.iter().all(|byte| matches!(byte, b' '..=b'~')) {
                doing.push_str(part.get(..head.len()).unwrap_or_default());
                left -= head.len();
            } else {
                for character in part.chars().filter(|c| !c.is_control()).take(left) {
                    doing.push(character);
                    left -= 1;
                }
            }
        }
        doing.truncate(doing.trim_end().len());
        let indent = doing.len() - doing.trim_start().len();
        doing.drain(..indent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::Tokens;

    fn turn(n: u32) -> String {
        let event = AgentEvent {
            v: SCHEMA,
            ts: Timestamp::UNIX_EPOCH,
            kind: EventKind::Turn {
                turn: n,
                tokens: Tokens { input: 1000, output: 500, ..Tokens::default() },
                model: None,
            },
        };
        serde_json::to_string(&event).unwrap()
    }

    #[test]
    fn a_stream_cut_in_the_middle_loses_only_the_cut_line() {
        let prices = PriceTable::default();
        let model: ModelName = "claude-sonnet-4-5".parse().unwrap();
        let mut tally = Tally::default();
        let whole = turn(1);
        for line in [whole.as_str(), &whole[..whole.len() / 2], "", "not an event", &turn(2)] {
            tally.line(line, &prices, Some(&model));
        }
        assert_eq!(tally.progress.spend.turns, 2);
        assert_eq!(tally.progress.spend.tokens.total(), 3000);
        assert_eq!(tally.garbage, 2);
    }

    #[test]
    fn a_line_of_a_hundred_megabytes_is_refused_without_being_parsed() {
        let long = format!("{}{}", turn(1), " ".repeat(MAX_LINE));
        assert_eq!(parse(&long), None);
    }

    #[test]
    fn what_it_does_is_one_short_line() {
        let mut tally = Tally::default();
        let mut doing = |parts: &[&str]| {
            tally.doing(parts);
            tally.progress.doing.clone()
        };
        assert_eq!(doing(&["Bash", " ", "cargo test\n\u{1b}[31m "]), "Bash cargo test[31m");
        assert_eq!(doing(&["  ", &"x".repeat(200)]), "x".repeat(118));
        assert_eq!(doing(&["ü", &"é".repeat(200), "z"]), format!("ü{}", "é".repeat(119)));
        assert_eq!(doing(&[&"x".repeat(119), "\t\t\u{a0}\u{a0}z"]), "x".repeat(119));
        assert_eq!(doing(&[]), "");
    }

    #[test]
    fn a_version_of_tomorrow_is_not_guessed_at() {
        assert!(parse(&turn(1).replace("\"v\":1", "\"v\":3")).is_none());
    }
}
