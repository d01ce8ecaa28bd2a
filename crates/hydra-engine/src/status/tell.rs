//! An action that would be carried out, as a sentence for people.

use hydra_core::{
    CommitSha,
    plan::{Action, StartOrder},
    ports::ForgeWrite,
    view::StatusState,
};

/// What the action does.
#[must_use]
pub fn tell(action: &Action) -> String {
    match action {
        Action::TakeLease { generation, .. } => format!("take the issue's lease, generation {generation}"),
        Action::ReleaseLease { .. } => "give the issue's lease back".to_owned(),
        Action::StartJob(order) => start(order),
        Action::StopJob { job, why } => format!("stop {job} ({why})"),
        Action::RemoveJob { job } => format!("remove {job}, whose results are kept"),
        Action::SetAside { account, until, why } => format!("set the account {account} aside until {until:.0}: {why}"),
        Action::Push { branch, to: Some(to), role, .. } => format!("push {} to {branch} as {role}", short(to)),
        Action::Push { branch, to: None, role, .. } => format!("delete {branch} as {role}"),
        Action::Write { role, write } => format!("{} as {role}", self::write(write)),
        Action::PostVerdict { number, role, envelope } => {
            format!("post the verdict of {} on pull request #{number} as {role}", envelope.stage)
        }
        Action::SaveRecord { record, .. } => format!("write the status comment: {}", record.phase.kind()),
        Action::PlaceCard { column } => format!("move the card to {column:?}"),
    }
}

fn start(order: &StartOrder) -> String {
    let key = &order.key;
    let mut text = format!("start {}, attempt {}", key.stage, key.attempt + 1);
    if key.round > 0 {
        text.push_str(&format!(", round {}", key.round + 1));
    }
    text.push_str(&format!(", on {}", short(&order.head)));
    if let Some(model) = &order.model {
        text.push_str(&format!(", model {model}"));
    }
    if let Some(account) = &order.account {
        text.push_str(&format!(", account {account}"));
    }
    text
}

fn write(write: &ForgeWrite) -> String {
    match write {
        ForgeWrite::Labels { number, add, remove, .. } => {
            let signed = |sign: &'static str, names: &[String]| {
                names.iter().map(|name| format!("{sign}{name}")).collect::<Vec<_>>().join(" ")
            };
            format!("change the labels of #{}: {} {}", number.0, signed("+", add), signed("-", remove))
                .trim_end()
                .to_owned()
        }
        ForgeWrite::Comment { number, marker, .. } => {
            format!("write the comment `{}` on #{}", marker.purpose, number.0)
        }
        ForgeWrite::OpenPull { head, base, title, .. } => {
            format!("open a draft pull request of {head} into {base}: {title}")
        }
        ForgeWrite::EditPull { number, .. } => format!("bring the text of pull request #{number} up to date"),
        ForgeWrite::ClosePull { number, .. } => format!("close pull request #{number}"),
        ForgeWrite::Review { number, .. } => format!("review pull request #{number}"),
        ForgeWrite::Status { commit, context, state, description, .. } => {
            let state = match state {
                StatusState::Pending => "pending",
                StatusState::Success => "success",
                StatusState::Failure => "failure",
                StatusState::Error => "error",
            };
            format!("set the status {context} of {}: {state}, {description}", short(commit))
        }
        ForgeWrite::MarkReady { number, .. } => format!("take pull request #{number} out of draft"),
        ForgeWrite::ResolveThread { number, .. } => format!("resolve a thread of pull request #{number}"),
        ForgeWrite::Merge { number, head, .. } => format!("merge pull request #{number} at {}", short(head)),
        ForgeWrite::DefineLabel { label, .. } => format!("define the label {}", label.name),
    }
}

fn short(commit: &CommitSha) -> &str {
    commit.as_str().get(..12).unwrap_or_default()
}
