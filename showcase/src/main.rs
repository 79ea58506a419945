//! Conduit.
fn main() {}
