//! The rules for what is taken out of a job's `/out`, the same for every runtime.

use crate::{check::relative, error::error};
use hydra_core::ports::{Collected, RuntimeError, RuntimeErrorKind};
use std::io::Read;

/// Files in `/out`, at most: more is no result, it is an attack or an accident.
const MAX_FILES: usize = 2_000;
/// Bytes that are read out of one `/out`, at most.
const MAX_TOTAL: u64 = 512 * 1024 * 1024;

/// Gathers what is taken, refusing what may not be there.
pub(crate) struct Gatherer {
    max_bytes: u64,
    total: u64,
    collected: Collected,
}

impl Gatherer {
    pub(crate) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, total: 0, collected: Collected::default() }
    }

    /// Takes one plain file of `size` bytes; a larger one than allowed is named and not read.
    pub(crate) fn file(&mut self, path: &str, size: u64, content: &mut dyn Read) -> Result<(), RuntimeError> {
        if !relative(path) {
            return Err(Self::refused(path, "its path leads elsewhere"));
        }
        if self.collected.files.len() + self.collected.too_large.len() >= MAX_FILES {
            return Err(Self::refused(path, "there are more than 2,000 files"));
        }
        if size > self.max_bytes {
            self.collected.too_large.insert(path.to_owned(), size);
            return Ok(());
        }
        self.total = self.total.saturating_add(size);
        if self.total > MAX_TOTAL {
            return Err(Self::refused(path, "all files together exceed 512 MiB"));
        }
        let mut bytes = Vec::new();
        // One byte more than promised is enough to see that a file grew while it was read.
        let read = content.take(size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|cause| error(RuntimeErrorKind::Failed, format!("cannot read /out/{path}: {cause}")))?;
        bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        self.collected.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    /// The error for an entry that may not be there.
    pub(crate) fn refused(path: &str, why: &str) -> RuntimeError {
        let shown: String = path.chars().take(200).collect();
        error(RuntimeErrorKind::Refused, format!("/out/{} is refused: {why}", shown.escape_debug()))
    }

    pub(crate) fn finish(self) -> Collected {
        self.collected
    }
}
