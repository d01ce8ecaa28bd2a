//! Reads one line in one pass. The derived reader buffers a whole line before it knows which event it is: several times as slow. A
//! line that this one cannot read goes to the derived one, which decides.

use super::{AgentEnd, AgentEvent, EventKind, ToolKind, Trouble};
use crate::{ModelName, Timestamp, Tokens};
use serde::Deserialize;
use std::borrow::Cow;

/// The fields of all kinds of events side by side: no name stands for two types.
#[derive(Deserialize)]
struct Fields<'a> {
    v: u32,
    ts: Timestamp,
    #[serde(borrow)]
    event: Cow<'a, str>,
    step: Option<String>,
    detail: Option<String>,
    driver: Option<String>,
    version: Option<String>,
    model: Option<ModelName>,
    turn: Option<u32>,
    tokens: Option<Tokens>,
    text: Option<String>,
    id: Option<String>,
    tool: Option<ToolKind>,
    name: Option<String>,
    path: Option<String>,
    command: Option<String>,
    ok: Option<bool>,
    bytes: Option<u64>,
    trouble: Option<Trouble>,
    until: Option<Timestamp>,
    exit: Option<i32>,
    millis: Option<u64>,
    tail: Option<String>,
    host: Option<String>,
    reason: Option<String>,
    hint: Option<String>,
    end: Option<AgentEnd>,
    reported: Option<Tokens>,
}

impl AgentEvent {
    /// The event of one line.
    ///
    /// # Errors
    /// When the line is none: not JSON, cut short, of an unknown kind, without one of the kind's fields.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        match quick(line) {
            Some(event) => Ok(event),
            None => serde_json::from_str(line),
        }
    }
}

/// In one pass; `None` when it must be read the long way.
fn quick(line: &str) -> Option<AgentEvent> {
    // A list of the right values would do for the fields, but is no event.
    if !line.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return None;
    }
    let fields: Fields<'_> = serde_json::from_str(line).ok()?;
    Some(AgentEvent { v: fields.v, ts: fields.ts, kind: kind(fields)? })
}

fn kind(fields: Fields<'_>) -> Option<EventKind> {
    Some(match &*fields.event {
        "step" => EventKind::Step { step: fields.step?, detail: fields.detail? },
        "started" => EventKind::Started { driver: fields.driver?, version: fields.version, model: fields.model },
        "turn" => EventKind::Turn { turn: fields.turn?, tokens: fields.tokens?, model: fields.model },
        "text" => EventKind::Text { text: fields.text? },
        "tool" => EventKind::Tool {
            id: fields.id?,
            tool: fields.tool?,
            name: fields.name?,
            path: fields.path,
            command: fields.command,
        },
        "tool_result" => EventKind::ToolResult { id: fields.id?, ok: fields.ok?, bytes: fields.bytes? },
        "provider" => EventKind::Provider { trouble: fields.trouble?, until: fields.until, detail: fields.detail? },
        "command" => EventKind::Command {
            name: fields.name?,
            command: fields.command?,
            exit: fields.exit?,
            millis: fields.millis?,
            tail: fields.tail?,
        },
        "denied" => EventKind::Denied { host: fields.host?, reason: fields.reason?, hint: fields.hint? },
        "ended" => EventKind::Ended { end: fields.end?, reported: fields.reported },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens() -> impl Strategy<Value = Tokens> {
        any::<[u64; 4]>().prop_map(|[input, output, cache_read, cache_write]| Tokens {
            input,
            output,
            cache_read,
            cache_write,
        })
    }
    fn model() -> impl Strategy<Value = Option<ModelName>> {
        prop::option::of("[a-z0-9-]{1,12}".prop_map(|name| name.parse().unwrap()))
    }
    fn time() -> impl Strategy<Value = Timestamp> {
        (0i64..4_000_000_000, 0i32..1_000_000_000).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
    }
    fn trouble() -> impl Strategy<Value = Trouble> {
        use Trouble::{Auth, Limit, Network, Overload, Refused};
        prop::sample::select(vec![Limit, Auth, Overload, Refused, Network])
    }
    fn end() -> impl Strategy<Value = AgentEnd> {
        prop_oneof![
            Just(AgentEnd::Completed),
            Just(AgentEnd::TurnLimit),
            Just(AgentEnd::Deadline),
            Just(AgentEnd::Budget),
            Just(AgentEnd::Interrupted),
            (trouble(), prop::option::of(time()), "\\PC{0,9}")
                .prop_map(|(trouble, until, detail)| AgentEnd::Provider { trouble, until, detail }),
            (any::<i32>(), "\\PC{0,9}").prop_map(|(code, detail)| AgentEnd::Crashed { code, detail }),
            ("\\PC{0,9}", "\\PC{0,9}").prop_map(|(step, detail)| AgentEnd::Refused { step, detail }),
        ]
    }
    fn tool() -> impl Strategy<Value = ToolKind> {
        use ToolKind::{Edit, Other, Read, Search, Shell, Write};
        prop::sample::select(vec![Read, Write, Edit, Search, Shell, Other])
    }
    fn any_kind() -> impl Strategy<Value = EventKind> {
        let text = || "[\\PC\n\u{1b}\"\\\\]{0,20}";
        let maybe = move || prop::option::of(text());
        prop_oneof![
            (text(), text()).prop_map(|(step, detail)| EventKind::Step { step, detail }),
            (text(), maybe(), model()).prop_map(|(driver, version, model)| EventKind::Started {
                driver,
                version,
                model
            }),
            (any::<u32>(), tokens(), model()).prop_map(|(turn, tokens, model)| EventKind::Turn { turn, tokens, model }),
            text().prop_map(|text| EventKind::Text { text }),
            (text(), tool(), text(), maybe(), maybe()).prop_map(|(id, tool, name, path, command)| EventKind::Tool {
                id,
                tool,
                name,
                path,
                command
            }),
            (text(), any::<bool>(), any::<u64>()).prop_map(|(id, ok, bytes)| EventKind::ToolResult { id, ok, bytes }),
            (trouble(), prop::option::of(time()), text()).prop_map(|(trouble, until, detail)| EventKind::Provider {
                trouble,
                until,
                detail
            }),
            (text(), text(), any::<i32>(), any::<u64>(), text()).prop_map(|(name, command, exit, millis, tail)| {
                EventKind::Command { name, command, exit, millis, tail }
            }),
            (text(), text(), text()).prop_map(|(host, reason, hint)| EventKind::Denied { host, reason, hint }),
            (end(), prop::option::of(tokens())).prop_map(|(end, reported)| EventKind::Ended { end, reported }),
        ]
    }

    proptest! {
        #[test]
        fn every_event_is_read_in_one_pass(ts in time(), kind in any_kind()) {
            let event = AgentEvent { v: 1, ts, kind };
            let line = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(quick(&line), Some(event), "{}", line);
        }

        /// Whatever one pass reads, the derived reader reads the same: also of lines with a field left out, doubled, or of another type.
        #[test]
        fn one_pass_reads_nothing_that_the_derived_reader_does_not(
            ts in time(),
            kind in any_kind(),
            other in any_kind(),
            drop in any::<prop::sample::Index>(),
            how in 0..6,
        ) {
            let value = |kind| serde_json::to_value(AgentEvent { v: 1, ts, kind }).unwrap();
            let (first, second) = (value(kind), value(other));
            let (first, second) = (first.as_object().unwrap(), second.as_object().unwrap());
            let mut fields: Vec<(String, String)> =
                first.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
            let index = drop.index(fields.len());
            match how {
                0 => _ = fields.remove(index),
                1 => fields.extend(second.iter().filter(|(name, _)| !first.contains_key(*name)).map(|(n, v)| (n.clone(), v.to_string()))),
                2 => fields.push(fields[index].clone()),
                3 => fields[index].1 = "null".to_owned(),
                4 => fields[index].1 = "[1,2,3,4]".to_owned(),
                _ => fields.push(("unknown".to_owned(), "{\"a\":[1]}".to_owned())),
            }
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
            let line = format!(" {{{}}}", fields.join(","));
            let derived = serde_json::from_str::<AgentEvent>(&line).ok();
            if let Some(event) = quick(&line) {
                prop_assert_eq!(Some(&event), derived.as_ref(), "{}", line);
            }
            prop_assert_eq!(AgentEvent::from_line(&line).ok(), derived);
        }
    }

    #[test]
    fn a_list_is_no_event() {
        let line = r#"[1,"2026-01-01T00:00:00Z","text",null,null,null,null,null,null,null,"x",null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]"#;
        assert!(serde_json::from_str::<Fields<'_>>(line).is_ok(), "the trap is there");
        assert!(AgentEvent::from_line(line).is_err());
    }
}
