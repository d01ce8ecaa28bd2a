//! Hellos that no client of ours would send.

use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::sync::Arc;

/// Encrypted ClientHello.
const ECH: u16 = 0xfe0d;

/// A ClientHello for a name, as bytes.
pub(crate) fn plain(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// The same with a hidden one inside: a cipher, a key's number, no key of its own, one byte that only the right server can read.
pub(crate) fn encrypted(name: &str) -> Vec<u8> {
    let inner = [0, 0, 1, 0, 1, 7, 0, 0, 0, 1, 9];
    let mut bytes = plain(name);
    let two = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    // Behind the record's head (5), the message's (4), the version and the random number (34): session, suites, methods.
    let session = 43 + 1 + usize::from(bytes[43]);
    let suites = session + 2 + two(session);
    let extensions = suites + 1 + usize::from(bytes[suites]);
    // The lengths of the extensions, of the record and of the message.
    for at in [extensions, 3, 7] {
        let longer = u16::from_be_bytes([bytes[at], bytes[at + 1]]) + 4 + inner.len() as u16;
        bytes[at..at + 2].copy_from_slice(&longer.to_be_bytes());
    }
    bytes.extend(ECH.to_be_bytes());
    bytes.extend((inner.len() as u16).to_be_bytes());
    bytes.extend(inner);
    bytes
}
