//! The least ClientHello that a server takes for one.

/// With this name, or without any.
pub(super) fn client(name: Option<&str>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        // A list of one name of the kind `host_name`.
        let entry = [&[0], counted(name.as_bytes()).as_slice()].concat();
        extension(&mut extensions, 0, &counted(&entry));
    }
    // Groups x25519 and secp256r1; ECDSA and RSA-PSS signatures; versions 1.3 and 1.2; no key of either group yet.
    extension(&mut extensions, 10, &counted(&[0, 0x1d, 0, 0x17]));
    extension(&mut extensions, 13, &counted(&[4, 3, 8, 4]));
    extension(&mut extensions, 43, &[4, 3, 4, 3, 3]);
    extension(&mut extensions, 51, &counted(&[]));
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    // No session; the three suites of TLS 1.3 and one of 1.2; no compression.
    body.extend([0, 0, 8, 0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2f, 1, 0]);
    body.extend(counted(&extensions));
    // The message's length has three bytes.
    let message = [&[1, 0], counted(&body).as_slice()].concat();
    [&[22, 3, 1], counted(&message).as_slice()].concat()
}

fn extension(all: &mut Vec<u8>, kind: u16, body: &[u8]) {
    all.extend(kind.to_be_bytes());
    all.extend(counted(body));
}

/// Behind its length in two bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_in_it_is_right_and_the_name_is_where_it_belongs() {
        for name in [None, Some("probe.hydra.invalid")] {
            let bytes = client(name);
            let two = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            assert_eq!((bytes[0], two(3)), (22, bytes.len() - 5));
            assert_eq!((bytes[5], bytes[6], two(7)), (1, 0, bytes.len() - 9));
            // Behind version, random number, session, suites and methods.
            let extensions = 9 + 2 + 32 + 1 + 10 + 2;
            assert_eq!(two(extensions), bytes.len() - extensions - 2);
            let found = bytes.windows(19).any(|window| window == b"probe.hydra.invalid");
            assert_eq!(found, name.is_some());
        }
    }
}
