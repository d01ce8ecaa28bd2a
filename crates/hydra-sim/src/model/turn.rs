//! Which answer a request gets: the script, the conversation, and the little that has to be remembered.

use super::{
    answer::Answer,
    conversation::{Conversation, Header},
    fault::{self, Fault},
    script::{Script, Step},
};
use hydra_core::Stage;
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// A limit that names no end lasts so long.
const DEFAULT_LIMIT: SignedDuration = SignedDuration::from_hours(1);

/// What is remembered between requests.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Sessions per stage and `when`, in the order of their first request.
    sessions: BTreeMap<(Stage, String), Vec<Begun>>,
    /// How often a fault was played: by section and step.
    played: BTreeMap<(usize, usize), u32>,
    /// Credentials that are limited, until when, and in which words.
    limited: BTreeMap<String, (Timestamp, Fault)>,
}

#[derive(Debug)]
struct Begun {
    job: String,
    /// 1 for the first.
    nth: u32,
    /// A fault was the last thing that it heard.
    cut: bool,
}

/// What a request gets.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The whole answer; a fault in mid-stream begins it.
    pub(crate) answer: Answer,
    /// Waits first.
    pub(crate) delay: Duration,
    /// What goes wrong.
    pub(crate) fault: Option<Played>,
}

/// A fault with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Played {
    pub(crate) fault: Fault,
    pub(crate) until: Timestamp,
    pub(crate) retry_after: Option<u64>,
}

impl Memory {
    /// Decides. `credential` is the tag of the one that the request bears.
    pub(crate) fn reply(
        &mut self,
        script: &Script,
        conversation: &Conversation,
        credential: &str,
        now: Timestamp,
    ) -> Reply {
        if let Some((until, fault)) = self.limited.get(credential).copied()
            && now < until
        {
            let fault = Some(Played { fault, until, retry_after: None });
            return Reply { answer: Answer::side(conversation), delay: Duration::ZERO, fault };
        }
        let Some(header) = conversation.header.as_ref().filter(|_| !conversation.side) else {
            return Reply { answer: Answer::side(conversation), delay: Duration::ZERO, fault: None };
        };
        let key = when_key(script, header.stage, &conversation.opening);
        let begun = self.begin(key, &header.job);
        let nth = begun.nth;
        let Some((section, session)) = script.section(header.stage, nth, &conversation.opening) else {
            let answer = Answer::scripted(conversation, header, Some(&unscripted(header)));
            return Reply { answer, delay: Duration::ZERO, fault: None };
        };
        let answers = session.answers();
        let place = conversation.answered.min(answers.len() - 1);
        let (before, step) = &answers[place];
        let fault = before.iter().find_map(|(index, step)| {
            let played = self.played.entry((section, *index)).or_default();
            let times = step.times.unwrap_or(1);
            (times == 0 || *played < times).then(|| {
                *played += 1;
                let until = step.until.as_deref().and_then(|text| fault::until(text, now).ok());
                let until = until.unwrap_or_else(|| now.saturating_add(DEFAULT_LIMIT).unwrap_or(Timestamp::MAX));
                step.fault.map(|fault| Played { fault, until, retry_after: step.retry_after })
            })?
        });
        if let Some(played) = fault.filter(|p| p.fault.limits()) {
            self.limited.insert(credential.to_owned(), (played.until, played.fault));
        }
        self.mark(&header.job, fault.is_some());
        let delay = Duration::from_millis(step.and_then(|s| s.delay_ms).unwrap_or_default());
        Reply { answer: Answer::scripted(conversation, header, *step), delay, fault }
    }

    /// The session of this job, begun now if it is new. Sessions that a fault cut off do not count: who tries again hears the same.
    fn begin(&mut self, key: (Stage, String), job: &str) -> &Begun {
        let sessions = self.sessions.entry(key).or_default();
        let at = match sessions.iter().position(|b| b.job == job) {
            Some(at) => at,
            None => {
                let whole = sessions.iter().filter(|b| !b.cut).count();
                let nth = u32::try_from(whole + 1).unwrap_or(u32::MAX);
                sessions.push(Begun { job: job.to_owned(), nth, cut: false });
                sessions.len() - 1
            }
        };
        &sessions[at]
    }

    fn mark(&mut self, job: &str, cut: bool) {
        for begun in self.sessions.values_mut().flatten().filter(|b| b.job == job) {
            begun.cut = cut;
        }
    }
}

/// Sessions are counted apart for each text that a section asks for.
fn when_key(script: &Script, stage: Stage, opening: &str) -> (Stage, String) {
    let named = script.sessions.iter().filter(|s| s.stage == stage).filter_map(|s| s.when.as_deref());
    let name = named.into_iter().find(|w| opening.contains(w)).unwrap_or_default();
    (stage, name.to_owned())
}

/// What the model says where the script has nothing: better a plain word than a guess.
fn unscripted(header: &Header) -> Step {
    Step { say: Some(format!("The script has no session for the stage {}.", header.stage)), ..Step::default() }
}
