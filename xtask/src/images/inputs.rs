//! A hash over everything that an image is made of.

use sha2::{Digest, Sha256};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// Takes in texts and files, in order.
#[derive(Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// A value with what it means.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.0.update(format!("{name} {} {value}\n", value.len()));
    }

    /// A file, or a folder with everything in it: names, modes and contents. Times do not count.
    pub(crate) fn path(&mut self, path: &Path) -> Result<(), String> {
        self.walk(path, "").map_err(|error| format!("{}: {error}", path.display()))
    }

    fn walk(&mut self, path: &Path, name: &str) -> io::Result<()> {
        if path.is_dir() {
            let mut entries: Vec<_> =
                fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
            entries.sort();
            for entry in entries {
                self.walk(&path.join(&entry), &format!("{name}/{}", entry.to_string_lossy()))?;
            }
            return Ok(());
        }
        let bytes = fs::read(path)?;
        let mode = fs::metadata(path)?.permissions().mode() & 0o111;
        self.0.update(format!("file {name} {mode:o} {}\n", bytes.len()));
        self.0.update(&bytes);
        Ok(())
    }

    /// The hash, in hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_changes_it() {
        let folder = std::env::temp_dir().join(format!("hydra-inputs-{}", std::process::id()));
        let hash = || {
            let mut inputs = Inputs::default();
            inputs.path(&folder).unwrap();
            inputs.finish()
        };
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/b"), "one").unwrap();
        let mut seen = vec![hash()];
        assert_eq!(hash(), seen[0]);
        fs::write(folder.join("a/b"), "two").unwrap();
        seen.push(hash());
        fs::rename(folder.join("a/b"), folder.join("a/c")).unwrap();
        seen.push(hash());
        fs::set_permissions(folder.join("a/c"), fs::Permissions::from_mode(0o755)).unwrap();
        seen.push(hash());
        fs::remove_dir_all(&folder).unwrap();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }
}
