//! Whether a place is full. Git names the file that it could not write, and not always why.

use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Less than one part in so many is no room.
const PARTS: u64 = 64;

/// What a person should know of a place where something could not be written: `/workspace is full: it holds 64 MiB`.
pub(crate) fn lacking(place: &Path) -> Option<String> {
    let found = statvfs(place).ok()?;
    let full = is_full(found.blocks_available(), found.blocks()) || is_full(found.files_available(), found.files());
    let mib = found.blocks().saturating_mul(found.fragment_size()) >> 20;
    full.then(|| format!("{} is full: it holds {mib} MiB", place.display()))
}

/// Where nothing is counted, nothing is full.
const fn is_full(available: u64, all: u64) -> bool {
    all > 0 && available.saturating_mul(PARTS) < all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_gone_is_gone() {
        assert!(is_full(0, 1) && is_full(1, 65));
        assert!(!is_full(1, 64) && !is_full(0, 0) && !is_full(u64::MAX, u64::MAX));
        assert_eq!(lacking(Path::new("/nowhere/at/all")), None);
    }
}
