//! The tools: read, write, edit, run, search. Each answers with text and whether it worked.

use serde_json::Value;
use std::{
    path::{Component, Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

/// A tool's answer is cut here, in characters.
const MAX_TEXT: usize = 30_000;
/// A command may take so long unless it asks for less.
const MAX_COMMAND: Duration = Duration::from_secs(600);

/// What a tool call came to.
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) ok: bool,
}

/// Where tools work, and what they may.
pub(crate) struct Tools {
    pub(crate) folder: PathBuf,
    pub(crate) read_only: bool,
    pub(crate) out: Option<PathBuf>,
}

/// Names of all tools, as they are announced.
pub(crate) const NAMES: &[&str] = &["Bash", "Edit", "Glob", "Grep", "Read", "Write"];

impl Tools {
    /// Carries a call out.
    pub(crate) async fn call(&self, name: &str, input: &Value) -> Outcome {
        let result = match name {
            "Read" => self.read(input),
            "Write" => self.write(input),
            "Edit" => self.edit(input),
            "Bash" => self.bash(input).await,
            "Glob" => self.shell("git ls-files -co --exclude-standard -- \"$1\"", field(input, "pattern")).await,
            "Grep" => self.shell("git grep -n --no-index -e \"$1\" -- .", field(input, "pattern")).await,
            other => Err(format!("Error: No such tool available: {other}")),
        };
        let (ok, text) = match result {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        Outcome { ok, text: text.chars().take(MAX_TEXT).collect() }
    }

    fn read(&self, input: &Value) -> Result<String, String> {
        let path = self.path(input)?;
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let from = input["offset"].as_u64().map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX).max(1));
        let most = input["limit"].as_u64().map_or(2_000, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let lines = text.lines().enumerate().skip(from - 1).take(most);
        Ok(lines.map(|(n, line)| format!("{:>6}\t{line}\n", n + 1)).collect())
    }

    fn write(&self, input: &Value) -> Result<String, String> {
        let path = self.writable(input)?;
        let content = field(input, "content")?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        }
        std::fs::write(&path, content).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(format!("File created successfully at: {}", path.display()))
    }

    fn edit(&self, input: &Value) -> Result<String, String> {
        let path = self.writable(input)?;
        let (old, new) = (field(input, "old_string")?, field(input, "new_string")?);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let all = input["replace_all"] == true;
        let changed = match text.matches(old).count() {
            _ if old.is_empty() => return Err("old_string is empty".into()),
            0 => return Err(format!("String to replace not found in file.\nString: {old}")),
            1 => text.replacen(old, new, 1),
            _ if all => text.replace(old, new),
            n => return Err(format!("Found {n} matches of the string to replace, but replace_all is false.")),
        };
        std::fs::write(&path, changed).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(format!("The file {} has been updated successfully.", path.display()))
    }

    async fn bash(&self, input: &Value) -> Result<String, String> {
        let wait = input["timeout"].as_u64().map_or(MAX_COMMAND, Duration::from_millis).min(MAX_COMMAND);
        self.run(&["-c", field(input, "command")?], wait).await
    }

    async fn shell(&self, script: &str, pattern: Result<&str, String>) -> Result<String, String> {
        self.run(&["-c", script, "sh", pattern?], MAX_COMMAND).await
    }

    async fn run(&self, args: &[&str], wait: Duration) -> Result<String, String> {
        let mut command = Command::new("sh");
        command.args(args).current_dir(&self.folder).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(wait, command.output());
        let output = match output.await {
            Ok(output) => output.map_err(|e| format!("sh: {e}"))?,
            Err(_) => return Err(format!("Command timed out after {} s", wait.as_secs())),
        };
        let both = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&both).trim_end().to_owned();
        match output.status.code() {
            Some(0) if text.is_empty() => Ok("(Bash completed with no output)".into()),
            Some(0) => Ok(text),
            code => {
                use std::os::unix::process::ExitStatusExt as _;
                let code = code.unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default());
                Err(format!("Exit code {code}\n{text}").trim_end().to_owned())
            }
        }
    }

    fn path(&self, input: &Value) -> Result<PathBuf, String> {
        Ok(self.folder.join(field(input, "file_path")?))
    }

    /// A path that may be written: anything, or, when only reading is allowed, what lies in the output folder.
    fn writable(&self, input: &Value) -> Result<PathBuf, String> {
        let path = self.path(input)?;
        let climbs = path.components().any(|c| c == Component::ParentDir);
        let inside = |folder: &Path| path.starts_with(folder) && !climbs;
        if self.read_only && !self.out.as_deref().is_some_and(inside) {
            return Err("Permission to use this tool was denied: only the output folder may be written".into());
        }
        Ok(path)
    }
}

fn field<'v>(input: &'v Value, name: &str) -> Result<&'v str, String> {
    input[name].as_str().ok_or_else(|| format!("InputValidationError: the parameter `{name}` is missing"))
}
