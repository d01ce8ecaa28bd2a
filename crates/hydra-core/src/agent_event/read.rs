//! Reads one line as Hydra itself writes it: fields in their order, no white space. The derived reader buffers a whole line before it
//! knows which event it is, and is several times as slow; it reads, and judges, every line that is not exactly like that.

use super::{AgentEvent, EventKind, ToolKind, Trouble};
use crate::{ModelName, Timestamp, Tokens};
use serde::de::DeserializeOwned;

impl AgentEvent {
    /// The event of one line.
    ///
    /// # Errors
    /// When the line is none: not JSON, cut short, of an unknown kind, without one of the kind's fields.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        quick(line).map_or_else(|| serde_json::from_str(line), Ok)
    }
}

/// `None` when it must be read the long way.
fn quick(line: &str) -> Option<AgentEvent> {
    let mut line = Line { text: line, at: 0 };
    line.expect("{\"v\":")?;
    let v = line.number()?;
    line.expect(",\"ts\":")?;
    let ts = line.time()?;
    line.expect(",\"event\":")?;
    let event = AgentEvent { v, ts, kind: kind(&mut line)? };
    line.expect("}")?;
    (line.at == line.text.len()).then_some(event)
}

fn kind(line: &mut Line<'_>) -> Option<EventKind> {
    Some(match line.plain()? {
        "turn" => EventKind::Turn {
            turn: line.field("turn", Line::number)?,
            tokens: line.field("tokens", Line::tokens)?,
            model: line.field("model", Line::model)?,
        },
        "text" => EventKind::Text { text: line.field("text", Line::string)? },
        "tool" => EventKind::Tool {
            id: line.field("id", Line::string)?,
            tool: line.field("tool", Line::tool)?,
            name: line.field("name", Line::string)?,
            path: line.field("path", Line::maybe_string)?,
            command: line.field("command", Line::maybe_string)?,
        },
        "tool_result" => EventKind::ToolResult {
            id: line.field("id", Line::string)?,
            ok: line.field("ok", Line::value)?,
            bytes: line.field("bytes", Line::number)?,
        },
        "step" => {
            EventKind::Step { step: line.field("step", Line::string)?, detail: line.field("detail", Line::string)? }
        }
        "started" => EventKind::Started {
            driver: line.field("driver", Line::string)?,
            version: line.field("version", Line::maybe_string)?,
            model: line.field("model", Line::model)?,
        },
        "provider" => EventKind::Provider {
            trouble: line.field("trouble", Line::trouble)?,
            until: line.field("until", |line| line.maybe(Line::time))?,
            detail: line.field("detail", Line::string)?,
        },
        "command" => EventKind::Command {
            name: line.field("name", Line::string)?,
            command: line.field("command", Line::string)?,
            exit: line.field("exit", Line::value)?,
            millis: line.field("millis", Line::number)?,
            tail: line.field("tail", Line::string)?,
        },
        "denied" => EventKind::Denied {
            host: line.field("host", Line::string)?,
            reason: line.field("reason", Line::string)?,
            hint: line.field("hint", Line::string)?,
        },
        "ended" => EventKind::Ended {
            end: line.field("end", Line::value)?,
            reported: line.field("reported", |line| line.maybe(Line::tokens))?,
        },
        _ => return None,
    })
}

/// A line, read up to a place.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.rest().starts_with(token.as_bytes()).then(|| self.at += token.len())
    }

    /// `,"name":` and what follows it.
    fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.expect(",\"")?;
        self.expect(name)?;
        self.expect("\":")?;
        read(self)
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.expect("null").is_some() { Some(None) } else { read(self).map(Some) }
    }

    fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = self.text.get(self.at..self.at + digits)?;
        // JSON knows no leading zero.
        if digits > 1 && text.starts_with('0') {
            return None;
        }
        self.at += digits;
        N::try_from(text.parse::<u64>().ok()?).ok()
    }

    /// Where the string that begins here ends: its closing quote, and whether there is an escape in it.
    fn quote(&mut self) -> Option<(usize, bool)> {
        self.expect("\"")?;
        let bytes = self.rest();
        let (mut length, mut escaped) = (0, false);
        loop {
            length += plain_length(bytes.get(length..)?);
            match bytes.get(length)? {
                b'"' => return Some((self.at + length, escaped)),
                b'\\' => {
                    escaped = true;
                    length += 2;
                }
                // A raw control character: not JSON.
                _ => return None,
            }
        }
    }

    /// A string without escapes.
    fn plain(&mut self) -> Option<&'a str> {
        let (end, escaped) = self.quote()?;
        let text = self.text.get(self.at..end).filter(|_| !escaped)?;
        self.at = end + 1;
        Some(text)
    }

    fn string(&mut self) -> Option<String> {
        let (end, escaped) = self.quote()?;
        let raw = self.text.get(self.at..end)?;
        self.at = end + 1;
        if escaped { unescaped(raw) } else { Some(raw.to_owned()) }
    }

    fn maybe_string(&mut self) -> Option<Option<String>> {
        self.maybe(Self::string)
    }

    fn model(&mut self) -> Option<Option<ModelName>> {
        self.maybe(|line| line.plain()?.parse().ok())
    }

    fn time(&mut self) -> Option<Timestamp> {
        let text = self.plain()?;
        time(text).or_else(|| text.parse().ok())
    }

    fn tokens(&mut self) -> Option<Tokens> {
        self.expect("{\"input\":")?;
        let input = self.number()?;
        let output = self.field("output", Self::number)?;
        let cache_read = self.field("cache_read", Self::number)?;
        let cache_write = self.field("cache_write", Self::number)?;
        self.expect("}")?;
        Some(Tokens { input, output, cache_read, cache_write })
    }

    fn tool(&mut self) -> Option<ToolKind> {
        Some(match self.plain()? {
            "read" => ToolKind::Read,
            "write" => ToolKind::Write,
            "edit" => ToolKind::Edit,
            "search" => ToolKind::Search,
            "shell" => ToolKind::Shell,
            "other" => ToolKind::Other,
            _ => return None,
        })
    }

    fn trouble(&mut self) -> Option<Trouble> {
        self.value()
    }

    /// Anything else, by its derived reader.
    fn value<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.text.get(self.at..)?).into_iter();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(value)
    }
}

/// What stands in a string. Halves of characters are left to the long way.
fn unescaped(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(rest.get(..at)?);
        let (character, length) = match rest.as_bytes().get(at + 1)? {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            byte @ (b'"' | b'\\' | b'/') => (char::from(*byte), 2),
            b'u' => {
                let digits = rest.get(at + 2..at + 6).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                (char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 6)
            }
            _ => return None,
        };
        text.push(character);
        rest = rest.get(at + length..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// A time as it is written, `2026-11-23T08:15:00.123456789Z`: of every line's reading it would be a sixth.
fn time(text: &str) -> Option<Timestamp> {
    let digits = |text: &[u8]| {
        text.iter().try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let (whole, rest) = text.as_bytes().split_first_chunk::<19>()?;
    if [whole[4], whole[7], whole[10], whole[13], whole[16]] != *b"--T::" {
        return None;
    }
    let (year, month, day) = (digits(&whole[..4])?, digits(&whole[5..7])?, digits(&whole[8..10])?);
    let (hour, minute, second) = (digits(&whole[11..13])?, digits(&whole[14..16])?, digits(&whole[17..])?);
    // The last days of months are left to the long way.
    if !(1970..=9998).contains(&year) || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', fraction @ ..] if (1..=9).contains(&fraction.len()) => {
            digits(fraction)? * 10i64.pow(9 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    // Days since 1970-01-01, with years that begin in March: the leap day is the last one.
    let (years, months) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 719_469;
    Timestamp::new(days * 86_400 + hour * 3_600 + minute * 60 + second, i32::try_from(nanos).ok()?).ok()
}

/// How many bytes stand before the first quote, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The top bit of each byte below `bound`, with borrows that only ever reach bytes above the lowest one that is set rightly.
    const fn below(eight: u64, bound: u8) -> u64 {
        eight.wrapping_sub(ONES * bound as u64) & !eight & TOPS
    }
    let mut at = 0;
    while let Some((eight, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let eight = u64::from_le_bytes(*eight);
        let special =
            below(eight, 0x20) | below(eight ^ (ONES * b'"' as u64), 1) | below(eight ^ (ONES * b'\\' as u64), 1);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent_event::AgentEnd;
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
    fn times() -> impl Strategy<Value = Timestamp> {
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
            (trouble(), prop::option::of(times()), "\\PC{0,9}")
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
            (trouble(), prop::option::of(times()), text()).prop_map(|(trouble, until, detail)| EventKind::Provider {
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
        fn every_event_is_read_the_short_way(ts in times(), kind in any_kind()) {
            let event = AgentEvent { v: 1, ts, kind };
            let line = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(quick(&line), Some(event), "{}", line);
        }

        /// Whatever is read the short way, the derived reader reads the same: also of lines with a field left out, doubled, or of
        /// another type, cut short or changed in one byte.
        #[test]
        fn the_short_way_reads_nothing_that_the_derived_reader_does_not(
            ts in times(),
            kind in any_kind(),
            other in any_kind(),
            drop in any::<prop::sample::Index>(),
            how in 0..9,
            byte in "[ -~\n\t]",
        ) {
            let whole = kind.clone();
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
            let mut line = format!("{{{}}}", fields.join(","));
            if how >= 6 {
                // As it is written, spoilt somewhere.
                line = serde_json::to_string(&AgentEvent { v: 1, ts, kind: whole }).unwrap();
                let mut at = drop.index(line.len());
                while !line.is_char_boundary(at) {
                    at -= 1;
                }
                match how {
                    6 => line.truncate(at),
                    7 => line.insert_str(at, &byte),
                    _ => _ = line.remove(at),
                }
            }
            let derived = serde_json::from_str::<AgentEvent>(&line).ok();
            if let Some(event) = quick(&line) {
                prop_assert_eq!(Some(&event), derived.as_ref(), "{}", line);
            }
            prop_assert_eq!(AgentEvent::from_line(&line).ok(), derived);
        }
    }

    #[test]
    fn a_time_out_of_range_is_left_to_jiff() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01 00:00:00Z",
            "2026-0a-01T00:00:00Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(time("2024-02-28T23:59:59.5Z"), "2024-02-28T23:59:59.5Z".parse().ok());
    }

    proptest! {
        #[test]
        fn a_string_is_the_string_that_serde_reads(raw in r#"([a-zé ]|\\["\\/bfnrtu]|\\u[0-9a-fA-F]{4}|\\u00[0-9a-f]{2}|\\u\+123){0,12}"#) {
            let text = format!("\"{raw}\"");
            let derived = serde_json::from_str::<String>(&text).ok();
            let read = Line { text: &text, at: 0 }.string();
            prop_assert!(read.is_none() || read == derived, "{}: {:?}, {:?}", text, read, derived);
            let halves = raw.to_ascii_lowercase().contains("\\ud");
            prop_assert!(read.is_some() || derived.is_none() || halves, "{}", text);
        }

        #[test]
        fn a_time_is_the_time_that_jiff_reads(ts in -400_000_000_000i64..250_000_000_000, nano in 0i32..1_000_000_000, digits in 0usize..9) {
            let nano = nano / 10i32.pow(u32::try_from(digits).unwrap()) * 10i32.pow(u32::try_from(digits).unwrap());
            let text = Timestamp::new(ts / 2, nano).map_or_else(|_| String::new(), |ts| ts.to_string());
            if let Some(read) = time(&text) {
                prop_assert_eq!(Ok(read), text.parse().map_err(|_| ()), "{}", text);
            } else {
                let day = text.get(8..10).unwrap_or("99");
                prop_assert!(day > "28" || ts < 0 || text.starts_with('-'), "{}", text);
            }
        }

        #[test]
        fn a_string_ends_where_it_ends(text in "[a-z\\PC\"\\\\\u{1}-\u{21}]{0,40}") {
            let expected = text.bytes().take_while(|b| *b >= 0x20 && *b != b'"' && *b != b'\\').count();
            prop_assert_eq!(plain_length(text.as_bytes()), expected);
        }
    }
}
