//! Reads a ClientHello as it comes in, byte by byte if it must: the name that it is for, and whether it hides another one.

use rustls::server::Acceptor;

/// The extension that holds the name.
const SERVER_NAME: u16 = 0;
/// The extension that holds an encrypted ClientHello.
const ECH: u16 = 0xfe0d;
/// The record type of a handshake.
const HANDSHAKE: u8 = 22;

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// The beginning of one.
    More,
    /// A whole one.
    Client {
        /// The name, lower-case, without a dot at its end.
        name: Option<String>,
        /// Whether another one may be hidden in it.
        encrypted: bool,
    },
    /// No TLS, or a handshake that no server would take.
    NotTls,
}

/// Reads one.
#[derive(Default)]
pub struct HelloReader {
    acceptor: Acceptor,
    bytes: Vec<u8>,
}

impl HelloReader {
    /// Everything that came so far: a server gets it unchanged.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Takes what came.
    pub fn feed(&mut self, mut fresh: &[u8]) -> Hello {
        self.bytes.extend_from_slice(fresh);
        if self.bytes.first().is_some_and(|first| *first != HANDSHAKE) {
            return Hello::NotTls;
        }
        loop {
            let before = fresh.len();
            if !fresh.is_empty() && self.acceptor.read_tls(&mut fresh).is_err() {
                return Hello::NotTls;
            }
            match self.acceptor.accept() {
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(str::to_owned);
                    return look(&handshake(&self.bytes), name);
                }
                Ok(None) if fresh.is_empty() => return Hello::More,
                Ok(None) if fresh.len() == before => return Hello::NotTls,
                Ok(None) => {}
                Err(_) => return Hello::NotTls,
            }
        }
    }
}

/// Looks at what the acceptor leaves out. What cannot be walked counts as hiding a name.
fn look(message: &[u8], name: Option<String>) -> Hello {
    let Some(found) = extensions(message) else { return Hello::Client { name, encrypted: true } };
    // A list with more in it than one name is read in two ways by two servers.
    if found.iter().any(|(kind, body)| *kind == SERVER_NAME && !is_one_name(body)) {
        return Hello::NotTls;
    }
    Hello::Client { name, encrypted: found.iter().any(|(kind, _)| *kind == ECH) }
}

/// Whether a list of names is one host name and nothing else.
fn is_one_name(list: &[u8]) -> bool {
    let [a, b, 0, c, d, name @ ..] = list else { return false };
    usize::from(u16::from_be_bytes([*a, *b])) == name.len() + 3
        && usize::from(u16::from_be_bytes([*c, *d])) == name.len()
}

/// The handshake message, taken out of its records.
fn handshake(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let [HANDSHAKE, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let body = rest.get(..length).unwrap_or(rest);
        message.extend_from_slice(body);
        records = rest.get(length..).unwrap_or_default();
    }
    message
}

/// Its extensions, by kind.
fn extensions(message: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let [_, a, b, c, body @ ..] = message else { return None };
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    // Version, random.
    let mut rest = body.get(2 + 32..usize::try_from(length).ok()?)?;
    let mut skip = |bytes: usize| -> Option<()> {
        let (length, after) = rest.split_at_checked(bytes)?;
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = after.get(length..)?;
        Some(())
    };
    // The session, the cipher suites, the compression methods.
    skip(1)?;
    skip(2)?;
    skip(1)?;
    let mut found = Vec::new();
    if rest.is_empty() {
        return Some(found);
    }
    let (length, after) = rest.split_at_checked(2)?;
    let mut list = after.get(..usize::from(u16::from_be_bytes(length.try_into().ok()?)))?;
    while let [a, b, c, d, after @ ..] = list {
        let (body, after) = after.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        found.push((u16::from_be_bytes([*a, *b]), body));
        list = after;
    }
    list.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let name = name.to_owned().try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }
    fn read(bytes: &[u8]) -> Hello {
        HelloReader::default().feed(bytes)
    }
    fn of(name: Option<&str>) -> Hello {
        Hello::Client { name: name.map(str::to_owned), encrypted: false }
    }

    #[test]
    fn the_name_is_read_however_the_bytes_come() {
        let whole = hello("API.example.org");
        assert_eq!(read(&whole), of(Some("api.example.org")));
        for size in [1, 2, 7, 100] {
            let mut reader = HelloReader::default();
            let mut last = Hello::More;
            for piece in whole.chunks(size) {
                assert_eq!(last, Hello::More);
                last = reader.feed(piece);
            }
            assert_eq!((last, reader.bytes()), (of(Some("api.example.org")), whole.as_slice()), "{size}");
        }
        assert_eq!(read(&hello("192.0.2.1")), of(None), "an address is no name");
        assert_eq!(read(&whole[..whole.len() - 1]), Hello::More);
    }

    #[test]
    fn records_of_one_byte_each_are_one_hello() {
        let whole = hello("api.example.org");
        let (head, body) = whole.split_at(5);
        let split: Vec<u8> = body.iter().flat_map(|byte| [head[0], head[1], head[2], 0, 1, *byte]).collect();
        assert_eq!(read(&split), of(Some("api.example.org")));
    }

    /// The hello with one more extension.
    fn with(extension: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = hello("api.example.org");
        let message = handshake(&bytes);
        let session = usize::from(message[38]);
        let suites = usize::from(u16::from_be_bytes([message[39 + session], message[40 + session]]));
        let methods = usize::from(message[41 + session + suites]);
        let at = 5 + 42 + session + suites + methods;
        let length = u16::try_from(body.len()).unwrap();
        bytes.extend([&extension.to_be_bytes(), &length.to_be_bytes(), body].concat());
        for at in [at, 3, 7] {
            let longer = u16::from_be_bytes([bytes[at], bytes[at + 1]]) + 4 + length;
            bytes[at..at + 2].copy_from_slice(&longer.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn an_encrypted_hello_is_seen() {
        assert_eq!(read(&with(0xabcd, b"x")), of(Some("api.example.org")));
        let hidden = Hello::Client { name: Some("api.example.org".into()), encrypted: true };
        // The outer one: a cipher, a key's number, no key of its own, one byte of payload.
        assert_eq!(read(&with(ECH, &[0, 0, 1, 0, 1, 7, 0, 0, 0, 1, 9])), hidden);
        assert_eq!(read(&with(ECH, b"")), Hello::NotTls);
    }

    /// Found by fuzzing: the acceptor reads the first name, and takes whatever follows it for a kind of name that it does not know.
    #[test]
    fn a_list_with_more_than_one_name_is_refused() {
        let whole = hello("api.example.org");
        let at = whole.windows(15).position(|part| part == b"api.example.org").unwrap();
        assert_eq!(whole[at - 5..at], [0, 18, 0, 0, 15]);
        let mut shorter = whole.clone();
        shorter[at - 1] = 7;
        assert_eq!(read(&shorter), Hello::NotTls);
        // The same bytes as one name of another kind.
        let mut other = whole;
        other[at - 3] = 1;
        assert_eq!(read(&other), Hello::NotTls);
    }

    #[test]
    fn everything_else_is_no_tls() {
        for other in
            [b"GET / HTTP/1.1\r\n\r\n".as_slice(), b"SSH-2.0-x\r\n", b"\x00\x0e8", &[22, 3, 1, 0, 4, 2, 0, 0, 0]]
        {
            assert_eq!(read(other), Hello::NotTls, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
            let mut reader = HelloReader::default();
            for piece in bytes.chunks(size) {
                if reader.feed(piece) != Hello::More { break }
            }
        }

        #[test]
        fn a_damaged_hello_names_nobody_else(at in 0_usize..500, to in any::<u8>()) {
            let whole = hello("api.example.org");
            let mut bytes = whole.clone();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Hello::Client { name: Some(name), .. } = read(&bytes) {
                // A dot in the place of its last letter ends the name before it.
                let last = whole.windows(15).position(|part| part == b"api.example.org").map(|begin| begin + 14);
                let shorter = usize::from(to == b'.' && Some(at) == last);
                prop_assert_eq!(name.len(), "api.example.org".len() - shorter);
            }
        }
    }
}
