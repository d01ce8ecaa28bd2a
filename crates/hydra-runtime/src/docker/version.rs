//! Which engine APIs this program speaks, and the one that is agreed on.

use crate::error::hinted;
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use std::{fmt, str::FromStr};

/// A version of the engine's API, as 1.41.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Before the dot.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

/// The oldest one: Docker Engine 20.10.
pub const OLDEST: ApiVersion = ApiVersion { major: 1, minor: 41 };
/// The newest one that bollard's types are made for.
pub const NEWEST: ApiVersion = ApiVersion { major: 1, minor: 53 };

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Self { major: major.parse().map_err(drop)?, minor: minor.parse().map_err(drop)? })
    }
}

/// The version to speak with an engine that speaks from `least` to `most`.
pub(super) fn agree(engine: &str, least: &str, most: &str) -> Result<ApiVersion, RuntimeError> {
    let unsupported = |hint: &str| {
        Err(hinted(
            RuntimeErrorKind::Unsupported,
            format!(
                "Docker Engine {engine} speaks API {least} to {most}, and Hydra {OLDEST} to {NEWEST}: they have none in common"
            ),
            hint,
        ))
    };
    let (Ok(lower), Ok(upper)) = (ApiVersion::from_str(least), ApiVersion::from_str(most)) else {
        return unsupported("what answers on this socket may be no Docker Engine");
    };
    if upper < OLDEST {
        return unsupported("install Docker Engine 20.10 or newer");
    }
    if lower > NEWEST {
        return unsupported("install a newer Hydra");
    }
    Ok(upper.min(NEWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_spoken() {
        let agreed = |least, most| agree("x", least, most).map(|version| version.to_string());
        assert_eq!(agreed("1.12", "1.41").as_deref(), Ok("1.41"));
        assert_eq!(agreed("1.44", "1.52").as_deref(), Ok("1.52"));
        assert_eq!(agreed("1.44", "1.99").as_deref(), Ok("1.53"));
    }

    #[test]
    fn an_engine_outside_the_range_is_refused_naming_both() {
        let old = agree("19.03.1", "1.12", "1.40").unwrap_err();
        assert_eq!(old.kind, RuntimeErrorKind::Unsupported);
        assert_eq!(
            old.to_string(),
            "Docker Engine 19.03.1 speaks API 1.12 to 1.40, and Hydra 1.41 to 1.53: they have none in common \
             (install Docker Engine 20.10 or newer)"
        );
        assert!(agree("40.0", "1.60", "1.70").unwrap_err().to_string().contains("install a newer Hydra"));
        assert_eq!(agree("?", "", "").unwrap_err().kind, RuntimeErrorKind::Unsupported);
    }
}
