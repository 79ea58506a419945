//! The crate from outside.

mod frames;
