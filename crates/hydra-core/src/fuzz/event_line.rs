//! A line of an agent's event stream, read by the quick reader and by the derived one.

use super::texts;
use crate::agent_event::AgentEvent;

const EVENTS: [&str; 8] = [
    r#"{"v":1,"ts":"2026-01-02T03:04:05.123456789Z","event":"turn","turn":3,"tokens":{"input":1,"output":2,"cache_read":3,"cache_write":4},"model":"claude-sonnet-4-6"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"text","text":"a \"b\" \u0000 \\ \ud83d\ude00 é"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"tool","id":"t1","tool":"shell","name":"Bash","path":null,"command":"cargo test"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"tool_result","id":"t1","ok":true,"bytes":12}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"step","step":"clone","detail":"d"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"command","name":"test","command":"npm test","exit":1,"millis":7,"tail":"t"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"started","driver":"claude","version":"2.1","model":null}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"provider","trouble":"overloaded","until":"2026-01-02T03:09:05Z","detail":"529"}"#,
];

/// One of each kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&EVENTS)
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let line = String::from_utf8_lossy(bytes);
    // The quick reader takes what the derived one takes, as the same event.
    let (quick, derived) = (AgentEvent::from_line(&line), serde_json::from_str::<AgentEvent>(&line));
    match (quick, derived) {
        (Ok(quick), Ok(derived)) => {
            assert_eq!(quick, derived);
            format!("ok {}", format!("{:?}", quick.kind).split([' ', '{']).next().unwrap_or_default())
        }
        (Err(quick), Err(derived)) => {
            assert_eq!(quick.to_string(), derived.to_string());
            quick.to_string()
        }
        (quick, derived) => panic!("{quick:?}, but derived {derived:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn event_lines() {
        let report = hydra_fuzz::fuzz("event-line", &seeds(), check);
        for kind in ["ok Turn", "ok Text", "ok Tool", "ok Step"] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
    }
}
