//! `tasks.md`: what is to be done, as check boxes.

use super::lines::lines;
use crate::diagnostic::Diagnostic;

/// The file as its lines; together they are the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tasks {
    lines: Vec<TaskLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TaskLine {
    /// Anything else, line end included.
    Text(String),
    /// A check box.
    Task { before: String, mark: char, after: String, task: Task },
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its line, from 1.
    pub line: u32,
    /// Its number, `3.11.6`, where it has one.
    pub number: Option<String>,
    /// What is to be done.
    pub text: String,
    /// Whether it is done.
    pub done: bool,
}

impl Tasks {
    /// Reads the file.
    ///
    /// # Errors
    /// When a check box is broken, a number stands twice, or there is no check box at all.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for line in lines(text) {
            let parsed = if line.code { None } else { task_line(line.raw, line.text, line.number) };
            match parsed {
                Some(Ok(parsed)) => {
                    if let TaskLine::Task { task: Task { number: Some(number), .. }, .. } = &parsed {
                        if seen.contains(number) {
                            faults.push(Diagnostic::line(
                                path,
                                line.number,
                                format!("the task {number} stands there twice"),
                            ));
                        }
                        seen.push(number.clone());
                    }
                    all.push(parsed);
                }
                Some(Err(message)) => {
                    faults.push(Diagnostic::line(path, line.number, message).hint("write `- [ ]` or `- [x]`"));
                }
                None => all.push(TaskLine::Text(line.raw.to_owned())),
            }
        }
        let tasks = Self { lines: all };
        if faults.is_empty() && tasks.all().is_empty() {
            faults.push(Diagnostic::file(path, "it holds no task").hint("write each task as `- [ ] 1.1 …`"));
        }
        if faults.is_empty() { Ok(tasks) } else { Err(faults) }
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                TaskLine::Text(raw) => text.push_str(raw),
                TaskLine::Task { before, mark, after, .. } => {
                    text.push_str(before);
                    text.push(*mark);
                    text.push_str(after);
                }
            }
        }
        text
    }

    /// Every task, in order.
    #[must_use]
    pub fn all(&self) -> Vec<&Task> {
        self.lines
            .iter()
            .filter_map(|line| match line {
                TaskLine::Task { task, .. } => Some(task),
                TaskLine::Text(_) => None,
            })
            .collect()
    }

    /// Sets the box of the task on a line; nothing else in the file changes. Returns whether there is one.
    pub fn set_done(&mut self, at: u32, done: bool) -> bool {
        for line in &mut self.lines {
            if let TaskLine::Task { mark, task, .. } = line
                && task.line == at
            {
                if task.done != done {
                    *mark = if done { 'x' } else { ' ' };
                    task.done = done;
                }
                return true;
            }
        }
        false
    }
}

/// `None`: no check box. The box is the third character after the bullet; `- [link](…)` is none.
fn task_line(raw: &str, text: &str, number: u32) -> Option<Result<TaskLine, String>> {
    let indent = text.len() - text.trim_start().len();
    let bullet = text[indent..].strip_prefix(['-', '*', '+'])?;
    let inner = bullet.trim_start_matches([' ', '\t']);
    if inner.len() == bullet.len() {
        return None;
    }
    let content = inner.strip_prefix('[')?;
    let mut chars = content.chars();
    let mark = match (chars.next(), chars.next()) {
        (Some(mark), Some(']')) => mark,
        (Some(']'), _) => return Some(Err("the box `[]` is empty".to_owned())),
        _ => return None,
    };
    let done = match mark {
        ' ' => false,
        'x' | 'X' => true,
        // `[1]` and the like are references, not boxes.
        other if other.is_alphanumeric() => return None,
        other => return Some(Err(format!("the box `[{}]` is neither open nor done", other.escape_debug()))),
    };
    let before = &raw[..text.len() - content.len()];
    let after = &raw[before.len() + mark.len_utf8()..];
    let words = content[mark.len_utf8() + 1..].trim();
    let (id, words) = match words.split_once(char::is_whitespace) {
        Some((first, rest)) if is_number(first) => (Some(first.trim_end_matches('.').to_owned()), rest.trim()),
        _ => (None, words),
    };
    let task = Task { line: number, number: id, text: words.to_owned(), done };
    Some(Ok(TaskLine::Task { before: before.to_owned(), mark, after: after.to_owned(), task }))
}

fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    !word.is_empty() && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}
