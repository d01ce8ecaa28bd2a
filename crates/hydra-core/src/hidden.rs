//! Takes out of a text what people do not see and machines read: HTML comments, control, zero-width and bidirectional characters.

/// Whether a character is invisible or changes how its neighbours are shown. Line ends and tabs are not.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' | '\r' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// The text without HTML comments (an open one ends the text) and hidden characters. Every line end becomes `\n`: Markdown and terminals
/// take a lone `\r` for one too, or write over what stands before it.
#[must_use]
pub fn strip(text: &str) -> String {
    // Hidden characters go first, so that none can hide the mark of a comment; comments until there is none, so that
    // none is made by taking another out.
    let plain = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    let mut clean: String = if text.bytes().all(plain) {
        text.to_owned()
    } else {
        let seen: String = text.chars().filter(|c| !is_hidden(*c)).collect();
        seen.replace("\r\n", "\n").replace('\r', "\n")
    };
    while let Some(start) = clean.find("<!--") {
        match clean[start + 4..].find("-->") {
            Some(length) => clean.replace_range(start..start + 4 + length + 3, ""),
            None => clean.truncate(start),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_invisible_characters_go() {
        assert_eq!(strip("a<!-- do evil -->b\r\nc"), "ab\nc");
        assert_eq!(strip("a<!\u{200b}-- x -->b"), "ab");
        assert_eq!(strip("a<<!-- x -->!-- y -->b"), "ab");
        assert_eq!(strip("a<!-- open"), "a");
        assert_eq!(strip("a\rb\r\u{200b}\nc\r\r\n"), "a\nb\nc\n\n", "whatever ends a line, one thing does");
        assert_eq!(strip("tag\u{e0041}\u{202e}s ünï 👍"), "tags ünï 👍");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives_and_twice_is_once(text in "(<!--|-->|<|!--|\u{200b}|\\PC|\n){0,40}") {
            let once = strip(&text);
            prop_assert!(!once.contains("<!--") && !once.chars().any(is_hidden));
            prop_assert_eq!(strip(&once), once.clone());
        }
    }
}
