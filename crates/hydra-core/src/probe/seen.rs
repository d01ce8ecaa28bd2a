//! What a probe saw.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The name has this address.
    Address(IpAddr),
    /// The name exists, without a record of that kind.
    NoRecord,
    /// The name does not exist.
    NoSuchName {
        /// The answer says that it was filtered.
        told: bool,
    },
    /// A TLS alert.
    Alert(u8),
    /// An HTTP status.
    Status(u16),
    /// It was refused at once.
    Refused,
    /// There is no way there at all.
    NoWay,
    /// Nothing is there, or nothing is left.
    Nothing,
    /// It worked.
    Worked,
    /// It got through, or there is more than there should be.
    Open(String),
    /// Nothing came within 2 s: nobody refused it.
    Silence,
    /// It could not be tried.
    Untried(String),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => write!(f, "{ip}"),
            Self::NoRecord => f.write_str("no record"),
            Self::NoSuchName { told: true } => f.write_str("no such name, filtered"),
            Self::NoSuchName { told: false } => f.write_str("no such name"),
            Self::Alert(super::ACCESS_DENIED) => f.write_str("alert access_denied"),
            Self::Alert(other) => write!(f, "alert {other}"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Refused => f.write_str("refused"),
            Self::NoWay => f.write_str("no way there"),
            Self::Nothing => f.write_str("none"),
            Self::Worked => f.write_str("works"),
            Self::Open(what) => f.write_str(what),
            Self::Silence => f.write_str("nobody answered or refused"),
            Self::Untried(why) => write!(f, "not tried: {why}"),
        }
    }
}
