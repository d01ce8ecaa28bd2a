//! No secret survives, in no spelling; and what is none stays as it is.
use super::*;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;

fn redactor(secret: &str) -> Redactor {
    Redactor::new([("git:builder", &SecretString::from(secret))])
}

#[test]
fn a_known_secret_is_masked_by_its_name_and_never_shown_by_debug() {
    let secret = "hunter2-hunter2!";
    let redactor = redactor(secret);
    assert_eq!(redactor.redact_line("a hunter2-hunter2! b"), "a [redacted:git:builder] b");
    assert!(matches!(redactor.redact_line("nothing here"), Cow::Borrowed(_)));
    assert!(!format!("{redactor:?}").contains(secret));
}

#[test]
fn unknown_secrets_are_known_by_their_shape() {
    let redactor = Redactor::default();
    let long = format!("ghs_{}.{}.{}", "a1B2".repeat(40), "c3D4".repeat(60), "e5F6".repeat(28));
    for (text, kind) in [
        (concat!("ghp_", "0123456789abcdefghijABCDEFGHIJ012345"), "github-token"),
        (long.as_str(), "github-token"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", "github-token"),
        ("sk-ant-oat01-abcdefghijklmnop_qrstuv-xyz", "anthropic-key"),
        ("AKIAIOSFODNN7ABCDEFG", "aws-key"),
        ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "service-token"),
    ] {
        assert_eq!(redactor.redact_line(&format!("x {text}, y")), format!("x [redacted:{kind}], y"));
        assert_eq!(redactor.find(text), Some(kind));
    }
    assert_eq!(
        redactor.redact_line("Authorization: Bearer abcdefghijklmnopqrst"),
        "Authorization: Bearer [redacted:authorization]"
    );
    assert_eq!(redactor.redact_line("https://me:s3cret@host/x"), "https://me:[redacted:url-password]@host/x");
    assert_eq!(redactor.redact_line("https://s3cret@host/x"), "https://[redacted:url-password]@host/x");
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = Redactor::default();
    for text in [
        "https://example.org/a@b",
        "https://$USER:${TOKEN}@host",
        "ghp_short",
        "the ghs_ prefix",
        "task-antonym",
        "MAKIAVELLI",
        "bearer of bad news",
        "-----BEGIN CERTIFICATE-----",
        "desk-ant-abcdefghijklmnopqrstuvw",
        "http://localhost:8080/x",
    ] {
        assert_eq!(redactor.redact_line(text), text);
    }
    assert_eq!(redactor.find(concat!("AKIAIOSFODNN7EXAMPLE and ghp_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")), None);
    assert_eq!(redactor.find("https://user:password@host"), None);
}

#[test]
fn a_private_key_is_masked_on_one_line_and_over_many() {
    let redactor = Redactor::default();
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----";
    assert_eq!(
        redactor.redact(&format!("a\n{key}\nb")),
        "a\n[redacted:private-key]\n[redacted:private-key]\n[redacted:private-key]\n[redacted:private-key]\nb"
    );
    let one = format!("{{\"k\":\"{}\",\"l\":1}}", key.replace('\n', "\\n"));
    assert_eq!(redactor.redact_line(&one), "{\"k\":\"[redacted:private-key]\",\"l\":1}");
}

#[test]
fn the_lines_of_a_known_private_key_are_known_too() {
    let redactor = redactor("-----BEGIN X-----\nabcdefghijklmnopqrstuvwxyz\n-----END X-----");
    assert_eq!(redactor.redact_line("> abcdefghijklmnopqrstuvwxyz"), "> [redacted:git:builder]");
}

#[test]
fn mixed_spellings_are_seen_through() {
    let redactor = redactor("tok/en-secret-1");
    assert_eq!(redactor.redact_line("a %74ok%2fen-secret%2D1 b"), "a [redacted:git:builder] b");
    assert_eq!(redactor.redact_line("a \\u0074ok\\/en-secret-1 b"), "a [redacted:git:builder] b");
    assert_eq!(redactor.redact_line("ü%ff%74ok%2fen-secret-1 %zz"), "ü%ff[redacted:git:builder] %zz");
}

fn percent_all(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

proptest! {
    #[test]
    fn no_spelling_of_a_known_secret_survives(secret in "[!-~]{8,60}", before in "[ -~]{0,7}", after in "[ -~]{0,7}", cut in 0usize..3) {
        let redactor = redactor(&secret);
        let json = serde_json::to_string(&format!("{before}{secret}{after}")).unwrap();
        let padded = format!("{}{secret}{after}", "x".repeat(cut));
        let sure = |text: &str| -> String {
            // The digits that hold nothing but the secret.
            let first = (cut * 8).div_ceil(6);
            text[first..((cut + secret.len()) * 8 / 6)].to_owned()
        };
        let std64 = STANDARD.encode(&padded);
        let url64 = URL_SAFE_NO_PAD.encode(&padded);
        let hex = crate::digest::hex(secret.as_bytes());
        let cases = [
            (format!("{before} {secret} {after}"), secret.clone()),
            (json.clone(), serde_json::to_string(&secret).unwrap().trim_matches('"').to_owned()),
            (format!("k={std64}&"), sure(&std64)),
            (format!("k={url64} "), sure(&url64)),
            (format!("q={}", percent_all(&secret)), percent_all(&secret)),
            (format!("h={hex}"), hex),
        ];
        for (text, form) in cases {
            let clean = redactor.redact_line(&text);
            prop_assert!(!clean.contains(&form), "{:?} in {:?}", form, clean);
            prop_assert!(clean.contains("[redacted:"), "{:?}", clean);
        }
    }

    #[test]
    fn never_panics_on_anything(text in "(\\PC|%|\\\\u|-----BEGIN |PRIVATE KEY|://|@|ghp_|\n|Bearer |é){0,40}") {
        let redactor = redactor("é-secret-é");
        let _ = redactor.redact(&text);
        let _ = redactor.find(&text);
    }

    #[test]
    fn a_clean_line_is_not_copied(text in "[a-z ]{0,80}") {
        prop_assert!(matches!(Redactor::default().redact_line(&text), Cow::Borrowed(_)));
    }

    /// The sieve is a matter of speed alone: it lets nothing through that the full search would find, and what it stops for nothing
    /// comes out as it went in.
    #[test]
    fn the_sieve_changes_nothing(
        secrets in prop::collection::vec("[!-~]{4,40}|ghp_[a-z]{4}|[a-c]{4,9}|\\PC{4,12}", 0..5),
        parts in prop::collection::vec((0usize..16, "[a-cA-C0-9_%@:/\\\\ -]{0,30}", any::<prop::sample::Index>()), 0..12),
    ) {
        let named: Vec<(String, SecretString)> =
            secrets.iter().enumerate().map(|(n, secret)| (format!("s{n}"), secret.as_str().into())).collect();
        let redactor = Redactor::new(named.iter().map(|(name, secret)| (name.as_str(), secret)));
        let mut text = String::new();
        for (kind, filler, pick) in &parts {
            let secret = if secrets.is_empty() { "none" } else { secrets[pick.index(secrets.len())].as_str() };
            let beginnings: Vec<&str> = Shape::ALL.iter().flat_map(|shape| shape.prefixes()).copied().collect();
            text.push_str(filler);
            match kind {
                0 => text.push_str(secret),
                1 => text.push_str(&percent_all(secret)),
                2 => text.push_str(&serde_json::to_string(secret).unwrap()),
                3 => text.push_str(&STANDARD.encode(format!("{filler}{secret}"))),
                4 => text.push_str(&crate::digest::hex(secret.as_bytes())),
                5 => text.extend(secret.chars().map(|c| format!("\\u{:04x}", u32::from(c) & 0xffff))),
                6 => text.push_str("https://user:s3cret@host/"),
                7 => text.push_str("-----BEGIN X PRIVATE KEY-----\\nAB\\n-----END X PRIVATE KEY-----"),
                8 => text.push_str("%ff"),
                9 => text.push('\u{e9}'),
                10 => text.push_str(&"aB1".repeat(pick.index(20))),
                11 => text.push_str(secret.get(..secret.len() / 2).unwrap_or_default()),
                _ => text.push_str(beginnings[pick.index(beginnings.len())]),
            }
        }
        let all = redactor.all_spans(&text);
        prop_assert_eq!(redactor.is_clean(&text), all.is_empty(), "{:?}", text);
        prop_assert_eq!(redactor.spans(&text), all);
    }
}
