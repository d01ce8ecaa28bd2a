//! Takes a container's results out of its `/out`, through the engine: it works for ended containers too, and needs no folder of this machine.

use super::{engine::Engine, trouble::explain};
use crate::{
    error::{error, join_error},
    outputs::Gatherer,
};
use bollard::query_parameters::DownloadFromContainerOptions;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use hydra_core::ports::{Collected, RuntimeError, RuntimeErrorKind};
use std::io::{self, Read};
use tar::{Archive, EntryType};
use tokio::sync::mpsc;

/// A container without end must not keep the orchestrator reading: what is left out is read past, too.
const MOST: u64 = 4 * 1024 * 1024 * 1024;
/// Pieces that wait to be read.
const WAITING: usize = 4;

impl Engine {
    /// Everything below `/out`. The container is there.
    pub(super) async fn collect(&self, name: &str, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let what = format!("cannot read the results of {name}");
        let (sender, receiver) = mpsc::channel(WAITING);
        let gathered =
            tokio::task::spawn_blocking(move || gather(Pieces { receiver, at: Bytes::new(), read: 0 }, max_bytes));
        let options = DownloadFromContainerOptions { path: "/out".to_owned() };
        let mut pieces = Box::pin(self.docker.download_from_container(name, Some(options)));
        let mut broken = None;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(cause) => {
                    broken = Some(explain(&what, &cause));
                    break;
                }
            };
            // The gatherer has given up: its own error says why.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        let gathered = gathered.await.map_err(|cause| join_error(&cause))?;
        match broken {
            Some(cause) => Err(cause),
            None => gathered,
        }
    }
}

struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    at: Bytes,
    read: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.at = piece,
                None => return Ok(0),
            }
        }
        let most = self.at.len().min(buffer.len());
        self.at.copy_to_slice(buffer.get_mut(..most).unwrap_or_default());
        self.read += most as u64;
        if self.read > MOST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it holds more than 4 GiB"));
        }
        Ok(most)
    }
}

/// Reads the engine's archive of `/out`, in which every path begins with `out/`.
fn gather(from: impl Read, max_bytes: u64) -> Result<Collected, RuntimeError> {
    let broken = |cause: io::Error| match cause.kind() {
        io::ErrorKind::FileTooLarge => Gatherer::refused("", &cause.to_string()),
        _ => error(RuntimeErrorKind::Failed, format!("the engine's archive of /out cannot be read: {cause}")),
    };
    let mut gatherer = Gatherer::new(max_bytes);
    let mut archive = Archive::new(from);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = match std::str::from_utf8(&entry.path_bytes()) {
            Ok(path) => path.trim_start_matches("./").to_owned(),
            Err(_) => {
                let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                return Err(Gatherer::refused(&shown, "its name is not UTF-8"));
            }
        };
        let kind = entry.header().entry_type();
        let Some(path) = path.strip_prefix("out").map(|path| path.trim_start_matches('/')) else {
            return Err(Gatherer::refused(&path, "its path leads elsewhere"));
        };
        match kind {
            EntryType::Directory => {}
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let size = entry.size();
                gatherer.file(path, size, &mut entry)?;
            }
            EntryType::Link | EntryType::Symlink => return Err(Gatherer::refused(path, "it is a link")),
            EntryType::XGlobalHeader => {}
            _ => return Err(Gatherer::refused(path, "it is no plain file")),
        }
    }
    Ok(gatherer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::{Builder, Header};

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            if kind.is_symlink() || kind.is_hard_link() {
                archive.append_link(&mut header, path, "elsewhere").unwrap();
            } else {
                // Paths that the builder itself would refuse.
                let name = &mut header.as_old_mut().name;
                name[..path.len()].copy_from_slice(path.as_bytes());
                header.set_cksum();
                archive.append(&header, *content).unwrap();
            }
        }
        archive.into_inner().unwrap()
    }

    fn gathered(entries: &[(&str, EntryType, &[u8])]) -> Result<Collected, RuntimeError> {
        gather(archive(entries).as_slice(), 4)
    }

    #[test]
    fn plain_files_are_taken_and_large_ones_named() {
        let taken = gathered(&[
            ("out/", EntryType::Directory, b""),
            ("out/a/", EntryType::Directory, b""),
            ("out/a/big", EntryType::Regular, b"12345"),
            ("out/small", EntryType::Regular, b"1234"),
        ])
        .unwrap();
        assert_eq!(taken.files.into_iter().collect::<Vec<_>>(), [("small".to_owned(), b"1234".to_vec())]);
        assert_eq!(taken.too_large.into_iter().collect::<Vec<_>>(), [("a/big".to_owned(), 5)]);
    }

    #[test]
    fn what_may_not_be_there_is_refused() {
        for (path, kind) in [
            ("out/link", EntryType::Symlink),
            ("out/link", EntryType::Link),
            ("out/pipe", EntryType::Fifo),
            ("out/device", EntryType::Char),
            ("out/../x", EntryType::Regular),
            ("elsewhere", EntryType::Regular),
        ] {
            let error = gathered(&[(path, kind, b"")]).unwrap_err();
            assert_eq!(error.kind, RuntimeErrorKind::Refused, "{path}: {error}");
        }
    }

    #[test]
    fn an_archive_that_breaks_off_is_no_result() {
        let mut bytes = archive(&[("out/file", EntryType::Regular, &[1; 2000])]);
        bytes.truncate(1000);
        assert_eq!(gather(bytes.as_slice(), 4000).unwrap_err().kind, RuntimeErrorKind::Failed);
    }
}
