//! What must not compile, and what the compiler says then.
//!
//! Here and not beside the other tests of the SDK: the programs are built with what this package depends
//! on, which is the SDK without an engine.

#[test]
fn what_must_not_compile() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/compile_fail/*.rs");
}
