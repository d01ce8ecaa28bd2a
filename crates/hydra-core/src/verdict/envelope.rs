//! The signature that makes a verdict or a record count: Ed25519 over the canonical JSON of the payload.

use super::Signed;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

/// Why a signature cannot be made or does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `HYDRA_SIGNING_KEY` is not a seed.
    #[error("HYDRA_SIGNING_KEY must be 32 bytes as base64 or as 64 hexadecimal digits; `hydra init` makes one")]
    Seed,
    /// A public key is not one.
    #[error("{0:?} is not an Ed25519 public key (32 bytes as base64 or hexadecimal)")]
    PublicKey(String),
    /// The payload has no canonical form (a number with a fraction, say).
    #[error("the payload cannot be written as canonical JSON: {0}")]
    Payload(String),
    /// Nobody we know signed it.
    #[error("it is signed by key {0}, which is not among the public keys of hydra.toml")]
    UnknownKey(String),
    /// The text was altered, or the signature belongs to something else.
    #[error("the signature does not fit: it was altered, or belongs elsewhere")]
    Altered,
}

/// A public key that signatures are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The first 16 hexadecimal digits of SHA-256 over the key.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = crate::digest::sha256_hex(self.0.as_bytes());
        id.truncate(16);
        id
    }
}
impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}
impl std::str::FromStr for PublicKey {
    type Err = SignatureError;
    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let error = || SignatureError::PublicKey(text.chars().take(80).collect());
        let key = VerifyingKey::from_bytes(&bytes32(text).ok_or_else(error)?).map_err(|_| error())?;
        // A weak key verifies messages that nobody signed.
        if key.is_weak() { Err(error()) } else { Ok(Self(key)) }
    }
}

/// Signs. Its seed never shows in `Debug` and is wiped when it goes.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl Signer {
    /// From `HYDRA_SIGNING_KEY`: a seed of 32 bytes as base64 or as 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_seed(seed: &SecretString) -> Result<Self, SignatureError> {
        let bytes = bytes32(seed.expose_secret()).ok_or(SignatureError::Seed)?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }
    /// The public key that belongs to it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.public().id())
    }
}

fn bytes32(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() == 64 {
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
            *byte = digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?;
        }
        return Some(bytes);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

impl<T: Serialize> Signed<T> {
    /// Signs a payload. `context` names what it belongs to (`record owner/name#7`), is signed with it and must be given again when it
    /// is checked, so that a record cannot be moved to another issue. It may be empty where the payload says it itself.
    ///
    /// # Errors
    /// When the payload has no canonical form.
    pub fn sign(payload: T, signer: &Signer, context: &str) -> Result<Self, SignatureError> {
        let message = message(&payload, context)?;
        let signature = STANDARD.encode(signer.0.sign(&message).to_bytes());
        Ok(Self { payload, key: signer.public().id(), signature })
    }

    /// Checks the signature against the keys that count, old ones too.
    ///
    /// # Errors
    /// When no key fits, or the payload, the signature or the context is another one.
    pub fn verify(&self, keys: &[PublicKey], context: &str) -> Result<(), SignatureError> {
        let key = keys
            .iter()
            .find(|key| key.id() == self.key)
            .ok_or_else(|| SignatureError::UnknownKey(self.key.chars().take(16).collect()))?;
        let bytes: [u8; 64] = STANDARD
            .decode(&self.signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(SignatureError::Altered)?;
        key.0
            .verify_strict(&message(&self.payload, context)?, &Signature::from_bytes(&bytes))
            .map_err(|_| SignatureError::Altered)
    }
}

fn message<T: Serialize>(payload: &T, context: &str) -> Result<Vec<u8>, SignatureError> {
    let json = canonical(payload)?;
    Ok(if context.is_empty() { json.into_bytes() } else { format!("{context}\n{json}").into_bytes() })
}

/// Canonical JSON: keys sorted by their bytes, no white space, integers only. Two equal payloads give the same text.
///
/// # Errors
/// When it cannot be written as JSON or holds a number with a fraction.
pub fn canonical<T: Serialize>(payload: &T) -> Result<String, SignatureError> {
    let value = serde_json::to_value(payload).map_err(|error| SignatureError::Payload(error.to_string()))?;
    let mut text = String::new();
    write(&value, &mut text)?;
    Ok(text)
}

fn write(value: &Value, out: &mut String) -> Result<(), SignatureError> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Number(number) if number.is_f64() => {
            return Err(SignatureError::Payload(format!("{number} has a fraction")));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Array(list) => {
            out.push('[');
            for (index, entry) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(entry, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            // Sorted here: whether serde_json keeps its keys sorted depends on features that other crates choose.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push('{');
            for (index, (key, entry)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(entry, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Payload {
        b: u32,
        a: String,
    }

    fn signer(fill: &str) -> Signer {
        Signer::from_seed(&fill.repeat(64).into()).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_nothing_is_between() {
        assert_eq!(canonical(&Payload { b: 1, a: "x\n".into() }).unwrap(), r#"{"a":"x\n","b":1}"#);
        assert!(canonical(&1.5).is_err());
    }

    #[test]
    fn a_signature_counts_for_its_payload_its_context_and_its_key_only() {
        let signed = Signed::sign(Payload { b: 1, a: "x".into() }, &signer("1"), "record o/r#1").unwrap();
        let key = signer("1").public();
        assert_eq!(signed.verify(&[signer("2").public(), key.clone()], "record o/r#1"), Ok(()));
        assert_eq!(signed.verify(std::slice::from_ref(&key), "record o/r#2"), Err(SignatureError::Altered));
        assert!(matches!(signed.verify(&[signer("2").public()], "record o/r#1"), Err(SignatureError::UnknownKey(_))));
        let altered = Signed { payload: Payload { b: 2, ..signed.payload.clone() }, ..signed.clone() };
        assert_eq!(altered.verify(&[key], "record o/r#1"), Err(SignatureError::Altered));
    }

    #[test]
    fn the_seed_is_read_in_both_spellings_and_never_shown() {
        let hex = "07".repeat(32);
        let base64 = STANDARD.encode([7u8; 32]);
        let a = Signer::from_seed(&hex.clone().into()).unwrap();
        let b = Signer::from_seed(&base64.clone().into()).unwrap();
        assert_eq!(a.public(), b.public());
        let debug = format!("{a:?}");
        assert!(!debug.contains(&hex) && !debug.contains(&base64) && debug.len() < 40);
        for bad in ["", "abc", &"0".repeat(63), &"zz".repeat(32)] {
            assert!(matches!(Signer::from_seed(&bad.to_owned().into()), Err(SignatureError::Seed)), "{bad}");
        }
        assert_eq!(a.public().to_string().parse::<PublicKey>(), Ok(a.public()));
        assert!(STANDARD.encode([0u8; 32]).parse::<PublicKey>().is_err(), "a weak key");
    }
}
