//! What a target repository is made of: two releases of a published package, and a real change folder.

use crate::images::root;
use hydra_core::openspec::{ChangeFolder, RequirementName};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Files by path.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

/// A row of `packages.json`.
pub(crate) struct Package {
    pub(crate) name: String,
    /// How its tests are run.
    pub(crate) test: String,
    /// The toolchain image that its `.hydra.toml` names.
    pub(crate) toolchain: Option<String>,
    /// The change folder's name.
    pub(crate) change: String,
    /// The versions, for people.
    pub(crate) versions: (String, String),
    /// A file, and which of its hunks (1 for the first) the tests miss.
    pub(crate) leave_out: (String, usize),
    /// The releases as they were published.
    pub(crate) from: Tree,
    pub(crate) to: Tree,
    /// The change folder's files.
    pub(crate) folder: Tree,
}

impl Package {
    pub(crate) fn named(name: &str) -> Self {
        let list = include_str!("packages.json");
        let list: Value = serde_json::from_str(list).expect("a list");
        let rows = list["packages"].as_array().expect("packages");
        let row = rows.iter().find(|row| row["name"] == name).expect("a package of that name");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let cache = root().join("target/targets-cache").join(name);
        let hunk = row["leave_out"]["hunk"].as_u64().and_then(|hunk| usize::try_from(hunk).ok());
        let change = text(&row["change"]);
        Self {
            name: name.to_owned(),
            test: text(&row["test"]),
            toolchain: None,
            versions: (text(&row["from"]["version"]), text(&row["to"]["version"])),
            leave_out: (text(&row["leave_out"]["file"]), hunk.expect("a number")),
            from: tree(&cache.join("from")),
            to: tree(&cache.join("to")),
            folder: tree(&shared_data().join("openspec").join(&change)),
            change,
        }
    }

    /// A release as a target repository: with what its team says of it, and the change.
    pub(crate) fn repository(&self, release: &Tree) -> Tree {
        let mut files = release.clone();
        // Without a network there is no route to anywhere; the file's first line names its columns.
        let lint = "test \"$(wc -l </proc/net/route)\" -le 1";
        let mut team = format!(
            "# Hydra reads this file from the base commit only.\n[commands]\nlint = {lint:?}\ntest = {:?}\n",
            self.test
        );
        if let Some(name) = &self.toolchain {
            team.push_str(&format!("\n[toolchain]\nimage = {name:?}\n"));
        }
        files.insert(".hydra.toml".to_owned(), team.into_bytes());
        let folder = format!("openspec/changes/{}", self.change);
        files.extend(self.folder.iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes.clone())));
        files
    }

    /// What the change asks for.
    pub(crate) fn requirements(&self) -> Vec<RequirementName> {
        ChangeFolder::parse(&self.folder).expect("a change folder").requirements()
    }
}

fn shared_data() -> PathBuf {
    std::env::var_os("HYDRA_SHARED_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from)
}

/// Every file below a folder.
fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            assert!(!kind.is_symlink(), "{} is a link", path.display());
            if kind.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").display().to_string();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}
