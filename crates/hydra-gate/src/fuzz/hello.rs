//! ClientHellos. What is accepted is read again by a second reader, written here from RFC 8446 and RFC 6066 and stricter than any server.

use crate::tls::hello::{Hello, HelloReader};
use std::sync::Arc;

/// What the second reader finds.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    /// The host names of every `server_name` extension, as they are written.
    names: Vec<Vec<u8>>,
    /// How many of those extensions there are.
    lists: usize,
    encrypted: bool,
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Takes a vector with a length of so many bytes before it.
pub(super) fn vector<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (head, after) = rest.split_at_checked(length)?;
    let (taken, after) = after.split_at_checked(number(head))?;
    *rest = after;
    Some(taken)
}

fn read(records: &[u8]) -> Option<Read> {
    let mut message = Vec::new();
    let mut rest = records;
    while message.len() < 4 || message.len() < 4 + number(&message[1..4]) {
        let (head, mut after) = rest.split_at_checked(3)?;
        assert_eq!(head[0], 22, "a record of another kind within a hello");
        message.extend_from_slice(vector(&mut after, 2)?);
        rest = after;
    }
    assert_eq!(message[0], 1, "another message");
    let mut body = &message[4..4 + number(&message[1..4])];
    body = body.get(2 + 32..)?;
    vector(&mut body, 1)?;
    vector(&mut body, 2)?;
    vector(&mut body, 1)?;
    let mut read = Read { names: Vec::new(), lists: 0, encrypted: false };
    if body.is_empty() {
        return Some(read);
    }
    let mut extensions = vector(&mut body, 2)?;
    assert!(body.is_empty(), "something after the extensions");
    while !extensions.is_empty() {
        let (kind, mut after) = extensions.split_at_checked(2)?;
        let mut extension = vector(&mut after, 2)?;
        extensions = after;
        match number(kind) {
            0 => {
                read.lists += 1;
                let mut list = vector(&mut extension, 2)?;
                assert!(extension.is_empty(), "something after the names");
                while let Some((kind, mut after)) = list.split_first() {
                    let name = vector(&mut after, 2)?;
                    list = after;
                    if *kind == 0 {
                        read.names.push(name.to_vec());
                    }
                }
            }
            0xfe0d => read.encrypted = true,
            _ => {}
        }
    }
    Some(read)
}

/// Feeds it in pieces until it is judged; the judgement, and how much was fed.
fn in_pieces(bytes: &[u8], size: usize) -> (Hello, usize) {
    let mut reader = HelloReader::default();
    let mut fed = 0;
    for piece in bytes.chunks(size) {
        let said = reader.feed(piece);
        fed += piece.len();
        assert_eq!(reader.bytes(), &bytes[..fed], "not as it came");
        if said != Hello::More {
            return (said, fed);
        }
    }
    (Hello::More, fed)
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let (whole, _) = in_pieces(bytes, bytes.len().max(1));
    let smallest = if bytes.len() < 4_000 { 1 } else { 97 };
    for size in [smallest, 5, 1 + bytes.len() / 2, 1 + bytes.len() * 2 / 3] {
        let (said, _) = in_pieces(bytes, size);
        // What follows a hello may spoil it, or come too late for that: then it is the server's to refuse.
        let late = matches!((&whole, &said), (Hello::NotTls, Hello::Client { .. }));
        assert!(said == whole || late, "in pieces of {size}: {said:?}, but {whole:?}");
    }
    let Hello::Client { name, encrypted } = whole else { return format!("{whole:?}") };
    let read = read(bytes).expect("what is accepted can be read");
    assert_eq!(read.encrypted, encrypted);
    assert!(read.lists <= 1 && read.names.len() <= 1, "{read:?}");
    match &name {
        Some(name) => {
            let written = String::from_utf8(read.names[0].clone()).unwrap().to_lowercase();
            assert_eq!(written.strip_suffix('.').unwrap_or(&written), name);
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()), "{name:?}");
        }
        // An address, if anything.
        None => assert!(read.names.iter().all(|name| String::from_utf8_lossy(name).contains(['.', ':'])), "{read:?}"),
    }
    format!("hello, named {}, encrypted {encrypted}", name.is_some())
}

/// As a client writes it.
fn hello(name: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = rustls::ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// As rustls writes them: with both versions, with the older one, and for an address.
pub(super) fn hellos() -> Vec<Vec<u8>> {
    use rustls::version::{TLS12, TLS13};
    vec![
        hello("api.example.org", &[&TLS12, &TLS13]),
        hello("API.example.org", &[&TLS12]),
        hello("192.0.2.1", &[&TLS13]),
    ]
}

/// Hellos as clients write them, cut up, and followed by something.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut corpus = hellos();
    // In records of seven bytes, and followed by something.
    let (head, body) = corpus[0].split_at(5);
    corpus.push(body.chunks(7).flat_map(|piece| [&head[..3], &[0, piece.len() as u8], piece].concat()).collect());
    corpus.push([corpus[0].as_slice(), &[23, 3, 3, 0, 1, 0]].concat());
    corpus
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn hellos_as_they_come() {
        let report = hydra_fuzz::fuzz("client-hello", &seeds(), check);
        for kind in ["hello, named true, encrypted false", "hello, named false", "NotTls", "More"] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
    }
}
