//! Derives: one file each.

pub(crate) mod action;
pub(crate) mod config;
pub(crate) mod injectable;
pub(crate) mod input;
pub(crate) mod problem;
pub(crate) mod qualifier;
pub(crate) mod room;
pub(crate) mod server_event;
pub(crate) mod token;
mod words;
