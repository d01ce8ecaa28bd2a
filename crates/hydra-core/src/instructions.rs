//! The files that coding agents (and git, and editors) take instructions from. They come from the base commit only,
//! and a change to one of them is a finding.

use crate::ports::Diff;

/// Names of files, at any depth.
const FILES: &[&str] = &[
    "claude.md",
    "claude.local.md",
    "agents.md",
    "agents.override.md",
    "gemini.md",
    "qwen.md",
    "copilot-instructions.md",
    ".mcp.json",
    "mcp.json",
    ".cursorrules",
    ".cursorignore",
    ".windsurfrules",
    ".clinerules",
    ".aider.conf.yml",
    ".goosehints",
    "opencode.json",
    "opencode.jsonc",
    ".pre-commit-config.yaml",
    ".envrc",
];

/// Names of folders, at any depth, with everything below them.
const FOLDERS: &[&str] = &[
    ".claude",
    ".claude-plugin",
    ".codex",
    ".cursor",
    ".gemini",
    ".opencode",
    ".agents",
    ".windsurf",
    ".clinerules",
    ".roo",
    ".kiro",
    ".husky",
    ".githooks",
    ".devcontainer",
    ".vscode",
];

/// Folders below `.github`.
const GITHUB: &[&str] = &["instructions", "prompts", "agents", "chatmodes", "hooks", "skills"];

/// Whether agents take instructions from a file of this path. Letters' case does not matter: some file systems ignore it.
#[must_use]
pub fn is_instruction_file(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let Some((name, folders)) = parts.split_last() else { return false };
    FILES.contains(name)
        || FOLDERS.contains(name)
        || folders.iter().any(|folder| FOLDERS.contains(folder))
        || parts.windows(2).any(|pair| pair[0] == ".github" && GITHUB.contains(&pair[1]))
}

/// What is restored from the base commit before an agent starts: git pathspecs, at any depth, letters' case ignored.
#[must_use]
pub fn pathspecs() -> Vec<String> {
    let files = FILES.iter().map(|name| format!(":(icase,glob)**/{name}"));
    let folders = FOLDERS.iter().map(|name| format!(":(icase,glob)**/{name}/**"));
    let github = GITHUB.iter().map(|name| format!(":(icase,glob)**/.github/{name}/**"));
    files.chain(folders).chain(github).collect()
}

/// The changed files of a diff that agents take instructions from, old names of renamed ones included.
#[must_use]
pub fn changed(diff: &Diff) -> Vec<String> {
    let mut found: Vec<String> = diff
        .files
        .iter()
        .flat_map(|file| std::iter::once(&file.path).chain(file.from.as_ref()))
        .filter(|path| is_instruction_file(path))
        .cloned()
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_names() {
        for path in [
            "CLAUDE.md",
            "docs/claude.md",
            "AGENTS.md",
            ".claude/settings.json",
            "pkg/.Claude/x",
            ".mcp.json",
            ".cursor/rules/a.mdc",
            "GEMINI.md",
            ".github/copilot-instructions.md",
            ".github/instructions/a.md",
            ".husky/pre-commit",
            "./AGENTS.md",
        ] {
            assert!(is_instruction_file(path), "{path}");
        }
        for path in ["src/claude.rs", "README.md", ".github/workflows/ci.yml", "agents/mod.rs", "", "claude.md/x.rs"] {
            assert!(!is_instruction_file(path), "{path}");
        }
    }
}
