//! Modules of another crate, for the tests of arcly-http: what the proof says
//! about a graph that crosses crates cannot be shown within one.

#![forbid(unsafe_code)]

use arcly_http::prelude::*;

/// Exported by its module.
#[derive(Debug, Injectable)]
pub struct Mailer {
    outbox: Inject<Outbox>,
}

impl Mailer {
    /// Letters that were not sent yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.letters
    }
}

/// Not exported by its module.
#[derive(Debug, Injectable)]
pub struct Outbox {
    #[inject(default)]
    letters: usize,
}

/// Provides both, exports one.
#[module(providers(Mailer, Outbox), exports(Mailer))]
#[derive(Debug)]
pub struct MailModule;

/// Has a name that an application may give an enum of its own.
#[derive(Debug, Clone, Copy, Action)]
pub enum Article {
    /// Whoever may edit.
    #[action(role = "editor")]
    Publish,
}

/// Declares the actions of this crate's enum.
#[module(actions(Article))]
#[derive(Debug)]
pub struct ActionModule;
