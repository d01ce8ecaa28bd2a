//! One question to whoever answers names, and what came back.

use super::PATIENCE;
use hydra_core::probe::Seen;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A.
    Address = 1,
    /// TXT.
    Text = 16,
}

const ID: [u8; 2] = [0x68, 0x79];
const OPT: u16 = 41;
const EXTENDED_ERROR: u16 = 15;
const FILTERED: u16 = 17;

/// Asks, at an address that nobody has: whatever answers stands in between.
pub(super) fn ask(at: SocketAddr, name: &str, kind: Kind) -> Seen {
    let exchange = || -> io::Result<Vec<u8>> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(at)?;
        socket.send(&question(name, kind))?;
        let mut room = [0; 2048];
        let read = socket.recv(&mut room)?;
        Ok(room.get(..read).unwrap_or_default().to_vec())
    };
    match exchange() {
        Ok(bytes) => read(&bytes).unwrap_or_else(|| Seen::Open("an answer that cannot be read".to_owned())),
        Err(error) => super::dial::fate(&error),
    }
}

/// A question with EDNS, which an Extended DNS Error needs.
fn question(name: &str, kind: Kind) -> Vec<u8> {
    // Recursion is asked for; one question, one additional record.
    let mut bytes = [ID.as_slice(), &[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]].concat();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend((kind as u16).to_be_bytes());
    bytes.extend([0, 1]);
    // The root, OPT, 1232 bytes, no flags, no data.
    bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// `None`: it is no answer to the question.
fn read(bytes: &[u8]) -> Option<Seen> {
    let two = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let (flags, answers) = (two(2)?, two(6)?);
    if bytes.get(..2)? != ID || flags & 0x8000 == 0 {
        return None;
    }
    let records = u32::from(answers) + u32::from(two(8)?) + u32::from(two(10)?);
    let mut at = 12;
    for _ in 0..two(4)? {
        at = after_name(bytes, at)? + 4;
    }
    let (mut address, mut told) = (None, false);
    for number in 0..records {
        let head = after_name(bytes, at)?;
        let (kind, length) = (two(head)?, usize::from(two(head + 8)?));
        let data = bytes.get(head + 10..head + 10 + length)?;
        match (kind, data) {
            (1, [a, b, c, d]) if number < u32::from(answers) => {
                address = address.or(Some(Ipv4Addr::new(*a, *b, *c, *d)));
            }
            (OPT, data) => told |= filtered(data),
            _ => {}
        }
        at = head + 10 + length;
    }
    Some(match (flags & 15, address, answers) {
        (0, Some(ip), _) => Seen::Address(ip.into()),
        (0, None, 0) => Seen::NoRecord,
        (3, _, _) => Seen::NoSuchName { told },
        (0, None, _) => Seen::Open("a record was answered".to_owned()),
        (code, _, _) => Seen::Open(format!("answered with code {code}")),
    })
}

/// Where a name ends. A pointer ends it.
fn after_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

/// Whether the options of EDNS hold the error `Filtered`.
fn filtered(mut options: &[u8]) -> bool {
    while let [a, b, c, d, rest @ ..] = options {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let Some((data, next)) = rest.split_at_checked(length) else { return false };
        if u16::from_be_bytes([*a, *b]) == EXTENDED_ERROR && data.starts_with(&FILTERED.to_be_bytes()) {
            return true;
        }
        options = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer to a question: this code, these answers and these options.
    fn answer(code: u8, records: &[&[u8]], options: &[u8]) -> Vec<u8> {
        let mut bytes = question("a.test", Kind::Address);
        let opt = bytes.len() - 11;
        bytes.truncate(opt);
        (bytes[2], bytes[3], bytes[7]) = (0x81, 0x80 | code, u8::try_from(records.len()).unwrap());
        records.iter().for_each(|record| bytes.extend(*record));
        bytes.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, u8::try_from(options.len()).unwrap()]);
        bytes.extend(options);
        bytes
    }

    #[test]
    fn answers_are_read() {
        let a: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 198, 18, 0, 1];
        let text: &[u8] = &[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 2, 1, b'x'];
        let filtered = [0, 3, 0, 1, 9, 0, 15, 0, 4, 0, 17, b'n', b'o'];
        assert_eq!(read(&answer(0, &[a], &[])), Some(Seen::Address(Ipv4Addr::new(198, 18, 0, 1).into())));
        assert_eq!(read(&answer(0, &[], &[])), Some(Seen::NoRecord));
        assert_eq!(read(&answer(3, &[], &filtered)), Some(Seen::NoSuchName { told: true }));
        assert_eq!(read(&answer(3, &[], &[0, 15, 0, 2, 0, 3])), Some(Seen::NoSuchName { told: false }));
        assert_eq!(read(&answer(0, &[text], &[])), Some(Seen::Open("a record was answered".into())));
        assert_eq!(read(&answer(2, &[], &[])), Some(Seen::Open("answered with code 2".into())));
        assert_eq!(read(&question("a.test", Kind::Address)), None, "a question is no answer");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..60) {
            _ = read(&bytes);
            let whole = answer(3, &[], &[0, 15, 0, 2, 0, 17]);
            _ = read(&whole[..cut.min(whole.len())]);
        }
    }
}
