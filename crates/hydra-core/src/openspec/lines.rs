//! Markdown lines with their numbers, and whether they stand in a fenced code block, where headings are none.

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Number, from 1.
    pub(super) number: u32,
    /// As it stands in the file, line end included.
    pub(super) raw: &'a str,
    /// Without the line end.
    pub(super) text: &'a str,
    /// Whether it is code.
    pub(super) code: bool,
}

impl<'a> Line<'a> {
    /// The title of a heading of exactly this level, trimmed; `None` for anything else.
    pub(super) fn heading(&self, level: usize) -> Option<&'a str> {
        if self.code {
            return None;
        }
        let rest =
            self.text.get(..level).filter(|marks| marks.bytes().all(|b| b == b'#')).map(|_| &self.text[level..])?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix([' ', '\t']).map(str::trim) }
    }
}

/// All lines of a text.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut fence: Option<(char, usize)> = None;
    let mut number = 0u32;
    text.split_inclusive('\n')
        .map(|raw| {
            number = number.saturating_add(1);
            let text = raw.strip_suffix('\n').unwrap_or(raw);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let mark = fence_mark(text);
            let code = match (fence, mark) {
                (Some((c, n)), Some((d, m, bare))) if c == d && m >= n && bare => {
                    fence = None;
                    true
                }
                (Some(_), _) => true,
                (None, Some((c, n, _))) => {
                    fence = Some((c, n));
                    true
                }
                (None, None) => false,
            };
            Line { number, raw, text, code }
        })
        .collect()
}

/// The fence's character, its length, and whether nothing follows.
fn fence_mark(text: &str) -> Option<(char, usize, bool)> {
    let text = text.trim_start();
    let c = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|d| *d == c).count();
    let rest = &text[length..];
    // An info string with a backtick would make it inline code.
    (length >= 3 && !(c == '`' && rest.contains('`'))).then(|| (c, length, rest.trim().is_empty()))
}
