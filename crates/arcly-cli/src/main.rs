//! The arcly command line.
fn main() {}
