//! What the model says: a TOML file, with a section per stage and per session of it.
//!
//! ```toml
//! extends = "happy"            # optional: what is not said here is taken from a named scenario
//!
//! [[session]]                  # one conversation
//! stage = "code-review"        # build, fix-quality, code-review, security-review, fix or apply
//! nth = 1                      # the first one of that stage; without it, or beyond the last, the last section counts
//! when = "add-word-limit"      # optional: only where the conversation's first text holds this
//!
//! [[session.steps]]            # one answer of the model
//! say = "I read the change."
//! tools = [{ name = "Read", input = { file_path = "{{workspace}}/lib/slug.sh" } }]
//! usage = { input = 900, output = 120, cache_read = 0, cache_write = 0 }   # optional; else from the length of the texts
//! delay_ms = 300               # optional: waits before it answers
//!
//! [[session.steps]]            # a step with nothing but a fault stands before the next answer
//! fault = "limit"              # see `Fault`
//! times = 1                    # how often; 0: always
//! until = "+3600"              # when the limit ends: seconds from then, or an RFC 3339 time
//! retry_after = 1              # seconds, for the header of that name
//!
//! [[adjust]]                   # changes sections that are there already, those of `extends` too
//! stage = "build"
//! step = 3                     # 1 for the first answer; without it, all
//! fault = "overloaded"
//! ```
//!
//! `{{out}}`, `{{workspace}}` and `{{spec}}` in texts and tool inputs become the paths of the conversation's header.
//! An answer without tools ends the session; after the last step the model says that it is done.

use super::fault::Fault;
use hydra_core::{Stage, Tokens};
use serde::{Deserialize, Serialize};

/// A whole script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The scenario that fills in what this script does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Conversations. A stage that is named here replaces all sections of that stage in `extends`.
    #[serde(default, rename = "session")]
    pub sessions: Vec<Session>,
    /// Changes to sections that are there already.
    #[serde(default, rename = "adjust", skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjust>,
}

/// One conversation of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Of which stage.
    pub stage: Stage,
    /// Which one of that stage, 1 for the first. Sessions that a fault cut off are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// Only where the conversation's first text holds this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Its answers, in order.
    pub steps: Vec<Step>,
}

/// A place of a conversation: the faults that stand before it, each with its index, and the answer, where there is one.
pub(crate) type Place<'a> = (Vec<(usize, &'a Step)>, Option<&'a Step>);

/// One answer, a fault, or a fault before an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// A single tool call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolCall>,
    /// Several tool calls of one answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolCall>,
    /// Its tokens; by default a quarter of the characters that went in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Tokens>,
    /// Waits so long before it answers, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What goes wrong instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How often it goes wrong; 0 for ever. Once by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// When a limit ends: `+SECONDS`, or an RFC 3339 time. One hour by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The header `retry-after`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// A tool call, named and spelled as claude-code does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// `Read`, `Write`, `Edit`, `Bash` …
    pub name: String,
    /// Its input.
    pub input: serde_json::Map<String, serde_json::Value>,
}

/// A change to sections that are there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    /// Of which stage.
    pub stage: Stage,
    /// Which session; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// Which answer, 1 for the first; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Other tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Tokens>,
    /// A wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// A fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// How often; 0 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// When a limit ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The header `retry-after`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Adjust {
    /// One of this stage that changes nothing yet.
    #[must_use]
    pub const fn of(stage: Stage) -> Self {
        Self {
            stage,
            nth: None,
            step: None,
            usage: None,
            delay_ms: None,
            fault: None,
            times: None,
            until: None,
            retry_after: None,
        }
    }
}

/// A script that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is not TOML, or not of this shape; the message names line and column.
    #[error("{0}")]
    Syntax(String),
    /// It has the shape, and makes no sense.
    #[error("session {session} ({stage}), step {step}: {why}")]
    Step {
        /// 1 for the first section.
        session: usize,
        /// Its stage.
        stage: Stage,
        /// 1 for the first step.
        step: usize,
        /// What is wrong.
        why: String,
    },
    /// It extends what is not there.
    #[error("there is no scenario {name:?} to extend: it is one of {known}")]
    Extends {
        /// What was named.
        name: String,
        /// What there is.
        known: String,
    },
    /// An adjustment that hits nothing: most likely a misspelt number.
    #[error("an [[adjust]] of {stage} hits no answer: there is no such session or step")]
    Adjust {
        /// Its stage.
        stage: Stage,
    },
}

impl std::str::FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let own: Self = toml::from_str(text).map_err(|e| ScriptError::Syntax(e.to_string().trim_end().to_owned()))?;
        own.resolve()
    }
}

impl Script {
    /// The story of the demo: one blocking finding, a fix round, a second pair of reviews, the applier.
    ///
    /// # Errors
    /// Never, as a test holds.
    pub fn default_demo() -> Result<Self, ScriptError> {
        super::demo::script("fix-round")
    }

    /// Fills in what it extends, applies its adjustments and checks every step. What comes out extends nothing.
    ///
    /// # Errors
    /// When a step makes no sense, or what it extends or adjusts is not there.
    pub fn resolve(mut self) -> Result<Self, ScriptError> {
        if let Some(name) = self.extends.take() {
            let below = super::demo::script(&name)?;
            let own = |stage: Stage| self.sessions.iter().any(|s| s.stage == stage);
            let kept: Vec<_> = below.sessions.into_iter().filter(|s| !own(s.stage)).collect();
            self.sessions.splice(0..0, kept);
        }
        for adjust in std::mem::take(&mut self.adjustments) {
            if !adjust.apply(&mut self.sessions) {
                return Err(ScriptError::Adjust { stage: adjust.stage });
            }
        }
        for (number, session) in self.sessions.iter().enumerate() {
            for (index, step) in session.steps.iter().enumerate() {
                step.check().map_err(|why| ScriptError::Step {
                    session: number + 1,
                    stage: session.stage,
                    step: index + 1,
                    why,
                })?;
            }
        }
        Ok(self)
    }

    /// The section for the `nth` session of a stage whose first text is `opening`, and its index.
    pub(crate) fn section(&self, stage: Stage, nth: u32, opening: &str) -> Option<(usize, &Session)> {
        let of_stage = || self.sessions.iter().enumerate().filter(move |(_, s)| s.stage == stage);
        let named = |s: &Session| s.when.as_ref().is_some_and(|w| opening.contains(w.as_str()));
        let matches: Vec<_> = if of_stage().any(|(_, s)| named(s)) {
            of_stage().filter(|(_, s)| named(s)).collect()
        } else {
            of_stage().filter(|(_, s)| s.when.is_none()).collect()
        };
        matches.iter().find(|(_, s)| s.nth == Some(nth)).or_else(|| matches.last()).copied()
    }
}

impl Session {
    /// The answers, each with the faults that stand before it; the last entry has no answer and stands for what comes after.
    pub(crate) fn answers(&self) -> Vec<Place<'_>> {
        let mut answers = Vec::new();
        let mut before = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            if step.fault.is_some() {
                before.push((index, step));
            }
            if step.answers() {
                answers.push((std::mem::take(&mut before), Some(step)));
            }
        }
        answers.push((before, None));
        answers
    }
}

impl Step {
    /// Whether it says or calls anything.
    fn answers(&self) -> bool {
        self.say.is_some() || self.tool.is_some() || !self.tools.is_empty()
    }

    /// Its tool calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.tool.iter().chain(&self.tools)
    }

    fn check(&self) -> Result<(), String> {
        if !self.answers() && self.fault.is_none() {
            return Err("it has neither `say`, `tool` or `tools` nor `fault`".into());
        }
        if self.tool.is_some() && !self.tools.is_empty() {
            return Err("it has both `tool` and `tools`".into());
        }
        if self.fault.is_none() && (self.times.is_some() || self.until.is_some() || self.retry_after.is_some()) {
            return Err("`times`, `until` and `retry_after` belong to a `fault`, and it has none".into());
        }
        if self.calls().any(|call| call.name.is_empty()) {
            return Err("a tool has no name".into());
        }
        self.until.as_deref().map_or(Ok(()), |until| super::fault::until(until, jiff::Timestamp::UNIX_EPOCH).map(drop))
    }
}

impl Adjust {
    /// Applies it; whether it hit anything.
    fn apply(&self, sessions: &mut [Session]) -> bool {
        let mut hit = false;
        let matching =
            sessions.iter_mut().filter(|s| s.stage == self.stage && (self.nth.is_none() || s.nth == self.nth));
        for session in matching {
            let answers = session.steps.iter_mut().filter(|s| s.answers()).enumerate();
            for (_, step) in answers.filter(|(index, _)| self.step.is_none_or(|n| n == index + 1)) {
                hit = true;
                step.usage = self.usage.or(step.usage);
                step.delay_ms = self.delay_ms.or(step.delay_ms);
                if self.fault.is_some() {
                    step.fault = self.fault;
                    step.times = self.times;
                    step.until.clone_from(&self.until);
                    step.retry_after = self.retry_after;
                }
            }
        }
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_points_at_its_line() {
        let error = "[[session]]\nstage = \"builds\"\nsteps = []\n".parse::<Script>().unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("builds"), "{error}");
        let error = "[[session]]\nstage = \"build\"\n[[session.steps]]\nsayy = \"x\"\n".parse::<Script>().unwrap_err();
        assert!(error.to_string().contains("line 4") && error.to_string().contains("sayy"), "{error}");
        let error = "[[session]]\nstage = \"build\"\n[[session.steps]]\nfault = \"fire\"\n".parse::<Script>();
        assert!(error.unwrap_err().to_string().contains("line 4"));
    }

    #[test]
    fn a_step_that_makes_no_sense_is_named() {
        for (step, word) in [
            ("delay_ms = 1", "neither"),
            ("say = \"x\"\ntimes = 2", "belong to a `fault`"),
            ("fault = \"limit\"\nuntil = \"tomorrow\"", "tomorrow"),
            ("tool = { name = \"Bash\", input = {} }\ntools = [{ name = \"Bash\", input = {} }]", "both"),
        ] {
            let text = format!("[[session]]\nstage = \"fix\"\n[[session.steps]]\n{step}\n");
            let error = text.parse::<Script>().unwrap_err().to_string();
            assert!(error.starts_with("session 1 (fix), step 1: ") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn sections_are_chosen_by_number_and_by_text() {
        let text = r#"
            session = [
              { stage = "fix", nth = 1, steps = [{ say = "one" }] },
              { stage = "fix", nth = 2, steps = [{ say = "two" }] },
              { stage = "fix", when = "other", steps = [{ say = "other" }] },
            ]"#;
        let script: Script = text.parse().unwrap();
        let said = |nth, text| script.section(Stage::Fix, nth, text).unwrap().1.steps[0].say.clone().unwrap();
        assert_eq!([said(1, ""), said(2, ""), said(7, ""), said(1, "an other")], ["one", "two", "two", "other"]);
        assert!(script.section(Stage::Apply, 1, "").is_none());
    }

    #[test]
    fn what_extends_a_scenario_replaces_whole_stages_and_adjusts_the_rest() {
        let text = "extends = \"happy\"\n[[session]]\nstage = \"apply\"\nsteps = [{ say = \"no\" }]\n[[adjust]]\nstage = \"build\"\nstep = 2\nfault = \"overloaded\"\n";
        let script: Script = text.parse().unwrap();
        assert_eq!(script.sessions.iter().filter(|s| s.stage == Stage::Apply).count(), 1);
        let build = script.section(Stage::Build, 1, "").unwrap().1;
        assert_eq!(build.answers()[1].0[0].1.fault, Some(Fault::Overloaded));
        let lost = "extends = \"happy\"\n[[adjust]]\nstage = \"build\"\nstep = 99\nfault = \"limit\"\n";
        assert!(lost.parse::<Script>().unwrap_err().to_string().contains("hits no answer"));
        assert!("extends = \"hapy\"\n".parse::<Script>().unwrap_err().to_string().contains("fix-round"));
    }

    #[test]
    fn a_script_written_by_a_program_reads_back() {
        let script = Script::default_demo().unwrap();
        assert_eq!(toml::to_string(&script).unwrap().parse::<Script>().unwrap(), script);
    }
}
