//! The extensions of a ClientHello: mutated bytes seldom have the right lengths around them, and here they have.

use super::hello::{self, hellos, vector};

/// The list of extensions of a hello.
fn extensions(hello: &[u8]) -> &[u8] {
    let mut rest = &hello[5 + 4 + 2 + 32..];
    for length in [1, 2, 1] {
        vector(&mut rest, length).unwrap();
    }
    &rest[2..]
}

/// A hello with these extensions, every length in it right.
fn with(extensions: &[u8]) -> Vec<u8> {
    let two = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let head = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
    let body = [&head, two(extensions.len()).as_slice(), extensions].concat();
    let message = [&[1, 0][..], &two(body.len()), &body].concat();
    message.chunks(16_000).flat_map(|piece| [&[22, 3, 1], two(piece.len()).as_slice(), piece].concat()).collect()
}

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    hello::check(&with(bytes.get(..60_000).unwrap_or(bytes)))
}

/// As clients write them, with an encrypted hello, with two names, with a name that ends in a dot.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = hellos().iter().map(|hello| extensions(hello).to_vec()).collect();
    let named = |name: &[u8]| {
        [&[0, 0, 0, name.len() as u8 + 5, 0, name.len() as u8 + 3, 0, 0, name.len() as u8], name].concat()
    };
    let ech = [0xfe, 0x0d, 0, 11, 0, 0, 1, 0, 1, 7, 0, 0, 0, 1, 9];
    let rest = &corpus[0].clone()[..];
    corpus.push([rest, &ech].concat());
    corpus.push([rest, &named(b"b.example.org")].concat());
    corpus.push(named(b"a.example.org."));
    // Two names in one list.
    corpus.push([&[0, 0, 0, 10, 0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'][..], rest].concat());
    corpus
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn extensions_within_a_hello() {
        let report = hydra_fuzz::fuzz("client-hello-extensions", &seeds(), check);
        assert!(report.saw("hello, named true, encrypted true") && report.saw("NotTls"), "{report:?}");
    }
}
