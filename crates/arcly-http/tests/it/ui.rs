//! What the compiler says to people who slip.

#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}

/// A check within a generic function runs when code is generated, which
/// `cargo check` never does: a case that passes makes trybuild build.
#[test]
fn mistakes_that_a_build_finds_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/built/chain_of_sixty_providers.rs");
    cases.pass("tests/ui/built/replaced.rs");
    cases.compile_fail("tests/ui/built/replaces_nothing*.rs");
}
