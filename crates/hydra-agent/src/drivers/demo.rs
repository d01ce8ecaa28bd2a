//! The simulator's small agent: it speaks claude-code's stream, so that the demo needs no Node.

use super::{Driver, Launch, Session};

/// Names the program: a JSON array of its arguments.
pub const PROGRAM: &str = "HYDRA_DEMO_AGENT";

pub(super) fn launch(session: &Session<'_>) -> Result<Launch, String> {
    let argv = match session.env.get(PROGRAM) {
        None => vec!["hydra".to_owned(), "sim-agent".to_owned()],
        Some(text) => serde_json::from_str::<Vec<String>>(text)
            .ok()
            .filter(|argv| !argv.is_empty())
            .ok_or_else(|| format!("{PROGRAM} must be a JSON array of strings, such as [\"hydra\",\"sim-agent\"]"))?,
    };
    let mut env = session.variables(Driver::Demo);
    env.insert("HYDRA_MODEL".into(), session.model.to_string());
    env.insert("HYDRA_MAX_TURNS".into(), session.max_turns.to_string());
    env.insert("HYDRA_SYSTEM_PROMPT".into(), crate::events::cut(&session.system, 20_000));
    env.insert("HYDRA_READ_ONLY".into(), u8::from(session.read_only).to_string());
    Ok(Launch { argv, env, stdin: session.prompt.clone() })
}
