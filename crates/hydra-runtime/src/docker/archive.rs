//! A job's input as one archive, made while it is sent: a bundle may be larger than memory.

use bytes::Bytes;
use futures_util::{Stream, stream};
use hydra_core::job::{InputFile, JobSpec};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    sync::{Arc, OnceLock},
};
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

/// What is sent at a time.
const PIECE: usize = 128 * 1024;
/// Pieces that wait to be sent.
const WAITING: usize = 4;

/// Why an archive broke off; empty while it has not. The engine only sees that the request ended early.
pub(super) type Broken = Arc<OnceLock<String>>;

/// The archive for `/`: `in/`, `spec/`, `out/` and everything below the first two, all of it the owner's.
pub(super) fn stream(spec: JobSpec, owner: u64, broken: Broken) -> impl Stream<Item = Result<Bytes, io::Error>> + Send {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, io::Error>>(WAITING);
    let made = tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, held: Vec::with_capacity(PIECE) };
        let written = write(&mut pieces, &spec, owner).and_then(|()| pieces.flush());
        if let Err(cause) = written {
            // A pipe that nobody reads is not the input's fault: the engine ended the request, and says why.
            if cause.kind() != io::ErrorKind::BrokenPipe {
                let _ = broken.set(cause.to_string());
            }
            // Nobody listens any more: then nobody needs the error either.
            let _ = pieces.sender.blocking_send(Err(cause));
        }
    });
    stream::unfold((receiver, Some(made)), |(mut receiver, mut made)| async move {
        if let Some(piece) = receiver.recv().await {
            return Some((piece, (receiver, made)));
        }
        // A writer that broke down must not look like one that came to its end.
        let broken = made.take()?.await.err()?;
        Some((Err(io::Error::other(broken)), (receiver, None)))
    })
}

struct Pieces {
    sender: mpsc::Sender<Result<Bytes, io::Error>>,
    held: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.held, Vec::with_capacity(PIECE));
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn write(to: &mut impl Write, spec: &JobSpec, owner: u64) -> io::Result<()> {
    let mut archive = Builder::new(to);
    let mut made = BTreeSet::new();
    for (root, files) in [("in", &spec.inputs), ("spec", &spec.spec)] {
        folder(&mut archive, &mut made, root, owner)?;
        for (name, file) in files {
            let path = format!("{root}/{name}");
            // Every folder on the way, so that it is the owner's too.
            for (at, _) in path.match_indices('/') {
                folder(&mut archive, &mut made, path.get(..at).unwrap_or_default(), owner)?;
            }
            match file {
                InputFile::Bytes(bytes) => {
                    let mut header = header(EntryType::Regular, 0o444, bytes.len() as u64, owner);
                    archive.append_data(&mut header, &path, bytes.as_slice())?;
                }
                InputFile::Path(from) => {
                    let named = |cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", from.display()));
                    let source = File::open(from).map_err(named)?;
                    let size = source.metadata().map_err(named)?.len();
                    let mut header = header(EntryType::Regular, 0o444, size, owner);
                    archive.append_data(&mut header, &path, Whole { source, left: size })?;
                }
            }
        }
    }
    folder(&mut archive, &mut made, "out", owner)?;
    archive.finish()
}

fn folder(archive: &mut Builder<impl Write>, made: &mut BTreeSet<String>, path: &str, owner: u64) -> io::Result<()> {
    if !made.insert(path.to_owned()) {
        return Ok(());
    }
    let mut header = header(EntryType::Directory, 0o755, 0, owner);
    archive.append_data(&mut header, format!("{path}/"), io::empty())
}

fn header(kind: EntryType, mode: u32, size: u64, owner: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header
}

/// A file that must be as long as it was when its header was written.
struct Whole {
    source: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "an input file became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::tests::spec;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn everything_in_it_is_the_owners_and_every_folder_has_its_entry() {
        let mut spec = spec();
        let long = format!("specs/{}/spec.md", "a".repeat(150));
        for path in ["tasks.md", "specs/a/spec.md", long.as_str()] {
            spec.spec.insert(path.to_owned(), InputFile::Bytes(b"text".to_vec()));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 300_000]).unwrap();
        spec.inputs.insert("repo.bundle".to_owned(), InputFile::Path(file.path().to_owned()));
        let pieces: Vec<_> = stream(spec, 1000, Broken::default()).map(|piece| piece.unwrap()).collect().await;
        assert!(pieces.len() > 1, "it is sent in pieces");
        let bytes = pieces.concat();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (1000, 1000));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), entry.size()));
        }
        let names: Vec<&str> = seen.iter().map(|(name, _, _)| name.as_str()).collect();
        let folder = format!("spec/specs/{}/", "a".repeat(150));
        for name in ["in/", "in/prompt.md", "in/repo.bundle", "out/", "spec/", "spec/specs/", "spec/specs/a/", &folder]
        {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(seen.contains(&("in/repo.bundle".to_owned(), 0o444, 300_000)));
        assert!(seen.contains(&("out/".to_owned(), 0o755, 0)));
    }

    #[tokio::test]
    async fn an_input_that_is_gone_breaks_the_archive_off() {
        let mut spec = spec();
        spec.inputs.insert("gone".to_owned(), InputFile::Path("/nowhere/gone".into()));
        let broken = Broken::default();
        let pieces: Vec<_> = stream(spec, 0, Arc::clone(&broken)).collect().await;
        assert!(pieces.last().unwrap().is_err());
        assert!(broken.get().unwrap().contains("No such file"), "{broken:?}");
    }
}
