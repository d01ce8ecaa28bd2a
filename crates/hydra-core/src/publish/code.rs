//! Fenced code blocks: taken apart here and written again with fences of our own, so that nobody can disagree on where they end.

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Lines, joined by line ends.
    Text(String),
    /// A code block; its text ends with a line end unless it is empty.
    Code { language: String, text: String },
}

/// Takes a text apart. Only fences at the beginning of a line count; others are text. An open fence ends with the text.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut plain: Vec<&str> = Vec::new();
    let mut code: Option<(usize, String, String)> = None;
    for line in text.split('\n') {
        let run = line.bytes().take_while(|b| *b == b'`').count();
        let rest = &line[run..];
        match &mut code {
            Some((length, language, inside)) => {
                if run >= *length && rest.trim().is_empty() {
                    blocks.push(Block::Code { language: std::mem::take(language), text: std::mem::take(inside) });
                    code = None;
                } else {
                    inside.push_str(line);
                    inside.push('\n');
                }
            }
            None if run >= 3 && !rest.contains('`') => {
                // A fence must begin after an empty line, or a list around it could take it for its own.
                if plain.last().is_some_and(|line| !line.trim().is_empty()) || plain.is_empty() && !blocks.is_empty() {
                    plain.push("");
                }
                if !plain.is_empty() {
                    blocks.push(Block::Text(std::mem::take(&mut plain).join("\n")));
                }
                code = Some((run, language(rest), String::new()));
            }
            None => plain.push(line),
        }
    }
    match code {
        Some((_, language, text)) => blocks.push(Block::Code { language, text }),
        None if !plain.is_empty() => blocks.push(Block::Text(plain.join("\n"))),
        None => {}
    }
    blocks
}

/// The language of a block, where it is a plain word. Hydra's own tags are none: nobody else writes its blocks.
fn language(info: &str) -> String {
    let word: String = info
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '#'))
        .take(20)
        .collect();
    if word.to_ascii_lowercase().starts_with("hydra")
        || word == "mermaid"
        || word.starts_with("geo")
        || word.starts_with("topo")
        || word == "math"
        || word.eq_ignore_ascii_case("stl")
        || word == "suggestion"
    {
        return "text".to_owned();
    }
    word
}

/// The longest run of back-ticks in a text.
pub(super) fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
