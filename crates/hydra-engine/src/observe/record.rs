//! The run's record in the status comment: written by the orchestrator's identity, signed, tied to its issue.

use crate::watch::Shared;
use hydra_core::{
    Generation, IssueKey, Login, Timestamp, TokenRole,
    plan::{LeaseRead, RecordRead, status_text},
    ports::Marker,
    publish::MAX_BODY,
    record::{RunRecord, SCHEMA},
    verdict::{
        Signed,
        envelope::{SignatureError, Signer, canonical},
    },
    view::{CommentView, IssueView, PullView},
};

const OPEN: &str = "```json hydra-record\n";
const CLOSE: &str = "\n```";

/// Room for the marker in front, in bytes.
const MARKER: usize = 200;

fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

/// What the signature is tied to, besides the record: a record cannot be moved to another issue.
fn record_context(issue: &IssueKey) -> String {
    format!("record {issue}")
}

/// The marker of the status comment: one for all generations.
pub(crate) fn status_marker() -> Marker {
    Marker { purpose: "status".into(), generation: Generation(0), key: String::new() }
}

/// The comment's text, without its marker: the same record gives the same text. Where it would be longer than GitHub takes, the part for
/// people is cut, and never the record.
pub(crate) fn render_record(
    issue: &IssueKey,
    record: &RunRecord,
    reason: &str,
    signer: &Signer,
) -> Result<String, SignatureError> {
    let signed = Signed::sign(record.clone(), signer, &record_context(issue))?;
    let json = canonical(&signed)?;
    let text = status_text(record, reason);
    let record =
        format!("\n\n<details><summary>Record (signed; do not edit)</summary>\n\n{OPEN}{json}{CLOSE}\n\n</details>");
    // A character has as many bytes as UTF-16 units, or more.
    let room = MAX_BODY.saturating_sub(record.len() + MARKER);
    Ok(format!("{}{record}", cut(text.trim_end(), room)))
}

/// Reads the record. Its absence is believed only while nothing shows that there was one.
pub(super) fn read(shared: &Shared, issue: &IssueView, lease: &LeaseRead, pulls: &[PullView]) -> RecordRead {
    let shown = shown_generation(shared, issue, lease, pulls);
    let Some(comment) = status_comment(shared, issue) else {
        return match shown {
            None => RecordRead::Absent,
            Some(generation) => RecordRead::Bad {
                why: "the status comment is missing though work exists".into(),
                changed_at: last_act(shared, issue),
                generation,
            },
        };
    };
    match open(shared, &issue.key, &comment.body) {
        Ok(record) if shown.is_none_or(|shown| shown <= record.generation) => RecordRead::Valid(Box::new(record)),
        Ok(record) => RecordRead::Bad {
            why: format!(
                "the record is of generation {}, and work of a later one exists: an old text was put back",
                record.generation
            ),
            changed_at: Some(comment.updated_at),
            generation: shown.unwrap_or(record.generation),
        },
        Err(why) => {
            let generation = shown.unwrap_or(Generation(1));
            RecordRead::Bad { why, changed_at: Some(comment.updated_at), generation }
        }
    }
}

/// When Hydra last changed a label of the issue: nobody can say when a comment was taken away, and who sets the trigger label after that
/// knows what Hydra made of the one before.
fn last_act(shared: &Shared, issue: &IssueView) -> Option<Timestamp> {
    let own = |login: &Login| shared.config.logins.values().any(|own| own == login);
    issue.label_events.iter().filter(|event| own(&event.actor)).map(|event| event.at).max()
}

/// The newest comment with the marker by the orchestrator's own identity; anyone else's is nobody's.
pub(super) fn status_comment<'i>(shared: &Shared, issue: &'i IssueView) -> Option<&'i CommentView> {
    let own = shared.config.logins.get(&TokenRole::Orchestrator)?;
    let marker = status_marker().to_string();
    let is_ours = |comment: &&CommentView| comment.author == *own && comment.body.trim_start().starts_with(&marker);
    // The oldest one is the one that is edited in place.
    issue.comments.iter().find(is_ours)
}

fn open(shared: &Shared, issue: &IssueKey, body: &str) -> Result<RunRecord, String> {
    let body = body.replace("\r\n", "\n");
    let (_, rest) = body.split_once(OPEN).ok_or("the status comment holds no record")?;
    let (json, _) = rest.split_once(CLOSE).ok_or("the record is cut")?;
    let signed: Signed<RunRecord> =
        serde_json::from_str(json).map_err(|error| format!("the record cannot be read: {error}"))?;
    signed
        .verify(&shared.config.public_keys, &record_context(issue))
        .map_err(|error| format!("the record: {error}"))?;
    let schema = signed.payload.schema;
    if schema != SCHEMA && schema + 1 != SCHEMA {
        return Err(format!("the record is of version {schema}; this Hydra reads {SCHEMA} and the one before"));
    }
    Ok(signed.payload)
}

/// The highest generation that lease and pull requests show. A lease of the first generation shows none: the orchestrator may have died
/// between taking it and writing the first record, and a branch of that name may be anybody's.
fn shown_generation(shared: &Shared, issue: &IssueView, lease: &LeaseRead, pulls: &[PullView]) -> Option<Generation> {
    let leased = match lease {
        LeaseRead::Free => None,
        LeaseRead::Mine(held) | LeaseRead::Stale(held) | LeaseRead::Other(held) => Some(held.record.generation),
    };
    let leased = leased.filter(|generation| generation.0 > 1);
    let own = |login: &Login| shared.config.logins.values().any(|own| own == login);
    let closes = format!("Closes #{}\n", issue.key.number);
    let pulled =
        pulls.iter().filter(|pull| own(&pull.author) && format!("{}\n", pull.body.replace('\r', "")).contains(&closes));
    let pulled = pulled.filter_map(|pull| marked_generation(&pull.body)).max();
    leased.max(pulled).or_else(|| labelled(shared, issue).then_some(Generation(1)))
}

/// Whether Hydra's own identity ever showed a state of a run on the issue: it writes the record before that.
fn labelled(shared: &Shared, issue: &IssueView) -> bool {
    let policy = &shared.config.policy;
    let Some(own) = shared.config.logins.get(&TokenRole::Orchestrator) else { return false };
    issue.label_events.iter().any(|event| {
        let name = event.label.strip_prefix(policy.label_prefix.as_str());
        event.actor == *own && name.is_some_and(hydra_core::label::is_state)
    })
}

fn marked_generation(body: &str) -> Option<Generation> {
    let (_, rest) = body.split_once("<!-- hydra:pull g")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Generation)
}
