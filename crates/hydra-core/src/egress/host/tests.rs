//! Host names and patterns, by example and against a plain reference.

use super::*;
use proptest::prelude::*;

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

#[test]
fn one_name_has_one_form() {
    for (written, form) in [
        ("API.Anthropic.COM", "api.anthropic.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ＡＰＩ.example.com", "api.example.com"),
        ("a。b.example", "a.b.example"),
    ] {
        assert_eq!(name(written).as_str(), form);
    }
}

#[test]
fn what_is_no_name_is_refused_with_its_reason() {
    for text in [
        "",
        ".",
        "..",
        "example..com",
        ".example.com",
        "example.com..",
        "https://example.com",
        "example.com/x",
        "example.com:443",
        "u@example.com",
        "127.0.0.1",
        "1.2.3",
        "0x7f.1",
        "127.0.0.0x1",
        "[::1]",
        "::1",
        "-a.com",
        "a-.com",
        "a_b.com",
        "a b.com",
        "a\0.com",
        "a\n.com",
        "*.example.com",
        "%65xample.com",
    ] {
        assert!(text.parse::<HostName>().is_err(), "{text:?}");
    }
    assert!(format!("{}.com", "a".repeat(64)).parse::<HostName>().is_err());
    assert!(vec!["abcdefg"; 40].join(".").parse::<HostName>().is_err());
    assert_eq!("10.0.0.1".parse::<HostName>().unwrap_err().why, "it is an address: only names can be allowed");
}

#[test]
fn over_broad_patterns_are_refused() {
    for (text, part) in [
        ("*", "whole label"),
        ("*.com", "public suffix"),
        ("*.co.uk", "public suffix"),
        ("*.github.io", "public suffix"),
        ("*.ck", "public suffix"),
        ("*.compute.amazonaws.com", "public suffix"),
        ("a*b.com", "whole label"),
        ("a*.example.com", "whole label"),
        ("www.*.com", "whole label"),
        ("*.*.example.com", "one star"),
        ("*example.com", "whole label"),
        ("*.", "empty"),
        ("localhost", "one label"),
        ("10.0.0.1", "address"),
        ("*.10.0.0.1", "address"),
        ("b\u{fc}cher.example", "ASCII"),
        ("\u{430}pi.anthropic.com", "ASCII"),
        ("*.ex\u{430}mple.com", "ASCII"),
    ] {
        let error = text.parse::<HostPattern>().unwrap_err();
        assert!(error.why.contains(part), "{error}");
    }
}

#[test]
fn what_might_have_been_meant_is_said() {
    for (text, meant) in [
        ("https://api.example.com/v1", "api.example.com"),
        ("api.example.com:443", "api.example.com"),
        ("*.api.example.com:443", "*.api.example.com"),
        (" Api.Example.com ", "api.example.com"),
        ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ("\u{430}pi.anthropic.com", "xn--pi-6kc.anthropic.com"),
    ] {
        assert_eq!(
            HostPattern::suggestion(text),
            Some(format!("write \"{meant}\", if that is what is meant")),
            "{text}"
        );
    }
    for text in
        ["*.com", "10.0.0.1", "localhost", "http://api.example.com", "api.example.com:80", "u@a.example", "", "*"]
    {
        assert_eq!(HostPattern::suggestion(text), None, "{text}");
    }
}

#[test]
fn look_alikes_do_not_match() {
    let exact: HostPattern = "github.com".parse().unwrap();
    let below: HostPattern = "*.example.com".parse().unwrap();
    assert!(exact.matches(&name("GitHub.com.")));
    for other in ["evilgithub.com", "github.com.evil.test", "api.github.com", "github.co"] {
        assert!(!exact.matches(&name(other)), "{other}");
    }
    assert!(below.matches(&name("a.example.com")));
    for other in ["example.com", "a.b.example.com", "aexample.com", "a.example.com.evil.test"] {
        assert!(!below.matches(&name(other)), "{other}");
    }
}

#[test]
fn endpoints_are_host_and_port() {
    for (text, shown) in
        [("Model:8443", "model:8443"), ("10.0.0.5:443", "10.0.0.5:443"), ("[fd00::1]:8443", "[fd00::1]:8443")]
    {
        assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
    }
    for text in ["model", "model:0", "model:99999", "https://model:1", ":443", "fd00::1:8443", "a b:1"] {
        assert!(text.parse::<Endpoint>().is_err(), "{text}");
    }
}

/// The plain reading: split by dots, compare label by label.
fn reference(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), name.split('.').collect());
    pattern.len() == name.len()
        && pattern.iter().zip(&name).enumerate().all(|(at, (p, n))| (at == 0 && *p == "*") || p == n)
}

fn dotted() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]{1,2}|x-y|com|github|io|co|uk", 2..5).prop_map(|labels| labels.join("."))
}

/// Texts as people write them: in any case, with a dot at the end or none, with stars anywhere.
fn written() -> impl Strategy<Value = String> {
    let labels = "[abAB]{1,2}|x-y|\\*|\\*a|a\\*|com|co|uk|github|io|ck|kawasaki|jp|test|";
    (proptest::collection::vec(labels, 1..5), any::<bool>())
        .prop_map(|(labels, dot)| format!("{}{}", labels.join("."), if dot { "." } else { "" }))
}

proptest! {
    /// Whatever is taken: at most one star, as a whole label, the left-most one, over a name that somebody has registered; and it matches
    /// by its own letters, in small ones, without the dot at its end.
    #[test]
    fn what_is_taken_is_what_may_be(text in written(), host in dotted()) {
        let Ok(pattern) = text.parse::<HostPattern>() else { return Ok(()) };
        let form = text.to_lowercase();
        let form = form.strip_suffix('.').unwrap_or(&form);
        prop_assert_eq!(pattern.to_string(), form);
        let labels: Vec<&str> = form.split('.').collect();
        prop_assert!(labels.len() >= 2 && labels[1..].iter().all(|label| !label.contains('*')), "{}", text);
        prop_assert!(labels[0] == "*" || !labels[0].contains('*'), "{}", text);
        if labels[0] == "*" {
            let parent = form.trim_start_matches("*.");
            // By the list itself: something is registered at or above the parent, so its names are somebody's.
            let registered = psl::domain_str(parent);
            prop_assert!(registered.is_some_and(|domain| parent.ends_with(domain)), "{} is a public suffix", parent);
        }
        prop_assert_eq!(pattern.matches(&name(&host)), reference(form, &host), "{} {}", text, host);
    }

    #[test]
    fn matching_is_the_plain_reading(star in any::<bool>(), pattern in dotted(), host in dotted()) {
        let text = if star { format!("*.{pattern}") } else { pattern };
        if let Ok(parsed) = text.parse::<HostPattern>() {
            prop_assert_eq!(parsed.matches(&name(&host)), reference(&text, &host), "{} {}", text, host);
            prop_assert_eq!(parsed.to_string().parse::<HostPattern>().unwrap(), parsed);
        }
    }

    #[test]
    fn parsing_never_panics_and_what_it_gives_parses_to_itself(text in any::<String>()) {
        let _ = text.parse::<HostPattern>();
        let _ = text.parse::<Endpoint>();
        if let Ok(parsed) = text.parse::<HostName>() {
            prop_assert_eq!(parsed.as_str().parse::<HostName>().unwrap(), parsed);
        }
    }

    #[test]
    fn covering_is_never_wider_than_matching(a in dotted(), b in dotted(), host in dotted(), stars in any::<(bool, bool)>()) {
        let make = |star: bool, text: &str| if star { format!("*.{text}") } else { text.to_owned() }.parse::<HostPattern>();
        if let (Ok(wide), Ok(narrow)) = (make(stars.0, &a), make(stars.1, &b))
            && wide.covers(&narrow) && narrow.matches(&name(&host))
        {
            prop_assert!(wide.matches(&name(&host)));
        }
    }
}
