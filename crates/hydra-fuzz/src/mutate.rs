//! How an input is changed: as bytes, as lines, and as JSON where it is JSON, so that what stands deep in a structure is reached too.

use crate::numbers::Numbers;
use serde_json::{Map, Value};

/// No input becomes longer.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Words that parsers trip over.
const WORDS: &[&[u8]] = &[
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"\"",
    b"\\",
    b"'",
    b"`",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<!--",
    b"-->",
    b"#",
    b"=",
    b":",
    b"../",
    b"/",
    b"*",
    b"**",
    b"@",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92\xa9",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b"\xe2\x80\x8b",
    b"\\u0000",
    b"\\ud800",
    b"\x1b[31m",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"0x1",
    b"NaN",
    b"9999-12-31T23:59:60Z",
    b"xn--",
    b"$(id)",
    b"${HOME}",
    b"---",
    b"```",
    b"%00",
    b"e\xcc\x81",
];

/// One more input from this one, the others of the corpus and the numbers.
pub(crate) fn mutate(input: &[u8], corpus: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=numbers.below(4) {
        match numbers.below(10) {
            0..=3 => json(&mut bytes, numbers),
            4..=5 => lines(&mut bytes, corpus, numbers),
            _ => raw(&mut bytes, corpus, numbers),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn raw(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len() + 1);
    let range = numbers.range(bytes.len());
    match numbers.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(range.start) {
                *byte ^= 1 << numbers.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(range.start) {
                *byte = numbers.next().to_le_bytes()[0];
            }
        }
        2 => drop(bytes.drain(range)),
        3 => bytes.truncate(at),
        4 => {
            let piece = bytes.get(range).unwrap_or_default().to_vec();
            bytes.splice(at..at, piece);
        }
        5 => {
            let word = numbers.pick(WORDS).copied().unwrap_or_default();
            bytes.splice(at..at, word.iter().copied());
        }
        6 => {
            let word = numbers.pick(WORDS).copied().unwrap_or_default();
            bytes.splice(range, word.iter().copied());
        }
        7 => {
            // Many of one kind: depth, length, quadratic time.
            let piece = bytes.get(range).unwrap_or_default().to_vec();
            let times = [3, 40, 1_000, 20_000].get(numbers.below(4)).copied().unwrap_or(3);
            let most = (LONGEST / piece.len().max(1)).min(times);
            bytes.splice(at..at, piece.repeat(most));
        }
        _ => {
            let other = numbers.pick(corpus).map(Vec::as_slice).unwrap_or_default();
            let piece = other.get(numbers.range(other.len())).unwrap_or_default().to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

fn lines(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], numbers: &mut Numbers) {
    let mut all: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (numbers.below(all.len()), numbers.below(all.len()));
    match numbers.below(5) {
        0 if !all.is_empty() => drop(all.remove(one)),
        1 if !all.is_empty() => all.swap(one, other),
        2 if !all.is_empty() => all.insert(other, all.get(one).cloned().unwrap_or_default()),
        3 => {
            let foreign = numbers.pick(corpus).map(Vec::as_slice).unwrap_or_default();
            let foreign: Vec<&[u8]> = foreign.split_inclusive(|byte| *byte == b'\n').collect();
            if let Some(line) = numbers.pick(&foreign) {
                all.insert(one, line.to_vec());
            }
        }
        _ => {
            if let Some(line) = all.get_mut(one) {
                raw(line, corpus, numbers);
            }
        }
    }
    *bytes = all.concat();
}

/// The whole, or one of its lines.
fn json(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
        twist(&mut value, numbers);
        *bytes = value.to_string().into_bytes();
        return;
    }
    let all: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let at = numbers.below(all.len());
    let Some(Ok(mut value)) = all.get(at).map(|line| serde_json::from_slice::<Value>(line)) else { return };
    twist(&mut value, numbers);
    let text = value.to_string().into_bytes();
    let new: Vec<&[u8]> =
        all.iter().enumerate().map(|(n, line)| if n == at { text.as_slice() } else { *line }).collect();
    *bytes = new.join(&b'\n');
}

/// Changes one value somewhere in it.
fn twist(value: &mut Value, numbers: &mut Numbers) {
    let nodes = count(value);
    let mut at = numbers.below(nodes);
    let donor = nth(value, &mut numbers.below(nodes)).cloned().unwrap_or_default();
    if let Some(node) = nth_mut(value, &mut at) {
        change(node, donor, numbers);
    }
}

fn change(node: &mut Value, donor: Value, numbers: &mut Numbers) {
    match (numbers.below(8), &mut *node) {
        (0, Value::Object(map)) => {
            let key = map.keys().nth(numbers.below(map.len())).cloned().unwrap_or_default();
            map.remove(&key);
        }
        (1, Value::Object(map)) => {
            // A key by another name.
            let old = std::mem::take(map);
            let at = numbers.below(old.len());
            let rename = |(n, (key, value)): (usize, (String, Value))| (if n == at { key + "_" } else { key }, value);
            *map = old.into_iter().enumerate().map(rename).collect::<Map<String, Value>>();
        }
        (2, Value::Object(map)) => _ = map.insert(word(numbers), donor),
        (0, Value::Array(all)) if !all.is_empty() => drop(all.remove(numbers.below(all.len()))),
        (1 | 2, Value::Array(all)) => {
            let times = [1, 2, 300].get(numbers.below(3)).copied().unwrap_or(1);
            all.extend(std::iter::repeat_n(donor, times));
        }
        (3, Value::String(text)) => text.push_str(&word(numbers)),
        (4, Value::String(text)) => {
            let times = [2, 100, 5_000].get(numbers.below(3)).copied().unwrap_or(2);
            *text = text.repeat(times.min(LONGEST / text.len().max(1)).max(1));
        }
        (0..=2, Value::Number(number)) => {
            let odd = [Value::from(-1), Value::from(0), Value::from(u64::MAX), Value::from(i64::MIN), Value::from(0.5)];
            *node = odd.get(numbers.below(5)).cloned().unwrap_or_else(|| Value::Number(number.clone()));
        }
        (5, _) => *node = Value::Null,
        (6, _) => *node = Value::String(word(numbers)),
        (7, _) => *node = Value::Array(vec![node.take()]),
        _ => *node = donor,
    }
}

fn word(numbers: &mut Numbers) -> String {
    String::from_utf8_lossy(numbers.pick(WORDS).copied().unwrap_or_default()).into_owned()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// The value that many steps into it, from outside in.
fn nth<'v>(value: &'v Value, at: &mut usize) -> Option<&'v Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(all) => all.iter().find_map(|one| nth(one, at)),
        Value::Object(map) => map.values().find_map(|one| nth(one, at)),
        _ => None,
    }
}

fn nth_mut<'v>(value: &'v mut Value, at: &mut usize) -> Option<&'v mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(all) => all.iter_mut().find_map(|one| nth_mut(one, at)),
        Value::Object(map) => map.values_mut().find_map(|one| nth_mut(one, at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_they_differ() {
        let corpus = vec![br#"{"a":[1,{"b":"c"}],"d":null}"#.to_vec(), b"x = 1\ny = 2\n".to_vec()];
        let told = |seed| {
            let mut numbers = Numbers(seed);
            (0..300).map(|_| mutate(&corpus[0], &corpus, &mut numbers)).collect::<Vec<_>>()
        };
        assert_eq!(told(7), told(7));
        assert_ne!(told(7), told(8));
        let all = told(7);
        assert!(all.iter().collect::<BTreeSet<_>>().len() > 200);
        let still_json = all.iter().filter(|bytes| serde_json::from_slice::<Value>(bytes).is_ok()).count();
        assert!((30..270).contains(&still_json), "{still_json} of 300 are JSON");
        assert!(all.iter().all(|bytes| bytes.len() <= LONGEST));
    }
}
