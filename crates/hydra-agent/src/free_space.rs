//! Whether a place is full. Git names the file that it could not write, and not always why.

use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Less than one part in so many is no room,
const PARTS: u64 = 64;
/// where it is not more than so many bytes, or files.
const BYTES: u64 = 8 << 20;
const FILES: u64 = 64;

/// What a person should know of a place where something could not be written: `/workspace is full: it holds 64 MiB`.
pub(crate) fn lacking(place: &Path) -> Option<String> {
    let found = statvfs(place).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
    let (left, all) = (bytes(found.blocks_available()), bytes(found.blocks()));
    let full = is_full(left, all, BYTES) || is_full(found.files_available(), found.files(), FILES);
    let mib = all >> 20;
    full.then(|| format!("{} is full: it holds {mib} MiB", place.display()))
}

/// Where nothing is counted, nothing is full.
const fn is_full(available: u64, all: u64, few: u64) -> bool {
    all > 0 && available.saturating_mul(PARTS) < all && available < few
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_gone_is_gone() {
        assert!(is_full(0, 1, 2) && is_full(1, 65, 2));
        assert!(!is_full(1, 64, 2) && !is_full(0, 0, 2) && !is_full(u64::MAX, u64::MAX, 2));
        assert!(!is_full(15 << 30, 1 << 40, BYTES), "15 GiB of a large disk are room enough");
        assert_eq!(lacking(Path::new("/nowhere/at/all")), None);
    }
}
