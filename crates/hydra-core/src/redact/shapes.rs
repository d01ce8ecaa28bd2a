//! Secrets that nobody told us of, known by their shape: a beginning that is searched for, and how far they go.

crate::stage::closed!(
    /// A kind of secret with a shape.
    Shape, "secret shape" {
    /// `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`: installation tokens have dots and some 520 characters.
    GitHub = "github-token",
    /// `sk-ant-`: keys and OAuth tokens.
    Anthropic = "anthropic-key",
    /// `sk-` of other providers, `AIza`.
    Model = "model-key",
    /// `Bearer …`, `Basic …` of an authorization header.
    Header = "authorization",
    /// `-----BEGIN … PRIVATE KEY-----`.
    PrivateKey = "private-key",
    /// `AKIA`, `ASIA`.
    Aws = "aws-key",
    /// `https://user:password@host`.
    UrlPassword = "url-password",
    /// Tokens of registries and other services.
    Service = "service-token",
});

impl Shape {
    /// How it begins.
    pub(super) const fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            Self::Anthropic => &["sk-ant-"],
            Self::Model => &["sk-proj-", "sk-svcacct-", "sk-or-", "AIza"],
            Self::Header => &["Bearer ", "bearer ", "BEARER ", "Basic ", "basic ", "x-access-token:"],
            Self::PrivateKey => &["-----BEGIN "],
            Self::Aws => &["AKIA", "ASIA"],
            Self::UrlPassword => &["://"],
            Self::Service => &["npm_", "glpat-", "pypi-", "xoxb-", "xoxp-", "xapp-", "hf_", "dckr_pat_", "crates-io_"],
        }
    }

    /// Whether nothing but a secret looks like this.
    pub(super) const fn is_certain(self) -> bool {
        match self {
            Self::GitHub | Self::Anthropic | Self::Model | Self::PrivateKey | Self::Aws | Self::Service => true,
            Self::Header | Self::UrlPassword => false,
        }
    }

    /// From where to where it goes, given where its beginning was found; `None` when it is not one.
    pub(super) fn extent(self, text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
        let rest = &text[end..];
        let run = |allowed: fn(u8) -> bool| rest.bytes().take_while(|b| allowed(*b)).count();
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        // In the middle of a longer word it is none.
        let begins = !text.as_bytes()[..start].last().is_some_and(|b| word(*b));
        let long = |length: usize, least: usize| (begins && length >= least).then_some((start, end + length));
        match self {
            // A dot ends a sentence more often than it ends a token.
            Self::GitHub => {
                let length = run(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
                long(rest[..length].trim_end_matches('.').len(), 20)
            }
            Self::Anthropic | Self::Model => long(run(token), 16),
            Self::Service => long(run(token), 20),
            Self::Header => {
                let length =
                    run(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~' | b'+' | b'/' | b'='));
                (length >= 16).then_some((end, end + length))
            }
            Self::Aws => {
                let length = run(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
                long(length, 16).filter(|_| length == 16)
            }
            Self::PrivateKey => private_key(text, start, end),
            Self::UrlPassword => {
                let authority = run(|b| {
                    b.is_ascii_graphic()
                        && !matches!(b, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b' ')
                });
                let (user, _) = rest[..authority].rsplit_once('@')?;
                let (name, password) = user.split_once(':').unwrap_or(("", user));
                // A variable's name in its place is no password.
                let hollow = password.is_empty() || password.starts_with(['$', '{', '*']) || password.len() < 3;
                (!hollow).then(|| (end + name.len() + usize::from(user.contains(':')), end + user.len()))
            }
        }
    }
}

/// A private key on one line (its line ends escaped), or its first line alone: the stream masks the rest.
fn private_key(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let rest = &text[end..];
    let kind_length = rest.find("-----")?;
    if !rest[..kind_length].ends_with("PRIVATE KEY") && !rest[..kind_length].ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let body = end + kind_length + 5;
    let close = text[body..].find("-----END ").map(|at| body + at + 9);
    let stop = close.and_then(|at| text[at..].find("-----").map(|length| at + length + 5));
    Some((start, stop.unwrap_or(text.len())))
}

/// Whether a token is one that documents use as an example: it says so, or is one letter over and over.
pub(super) fn is_example(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let tail = &token.as_bytes()[token.len().saturating_sub(12)..];
    lower.contains("example") || lower.contains("xxxxxx") || tail.windows(2).all(|pair| pair[0] == pair[1])
}
