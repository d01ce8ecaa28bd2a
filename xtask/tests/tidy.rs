//! The house is held to its own rules by a test.

#[test]
fn the_house_is_tidy() {
    let findings = xtask::tidy_findings();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
