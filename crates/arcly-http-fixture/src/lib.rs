//! Modules of another crate, for the tests of arcly-http: what the proof says
//! about a graph that crosses crates cannot be shown within one.

#![forbid(unsafe_code)]

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::{Problem as Refusal, kinds};

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

/// A guard that an application may name, or not.
#[derive(Debug, Injectable)]
pub struct Closed;

impl Guard for Closed {
    fn describe(operation: &mut Operation) {
        operation.problem(&kinds::FORBIDDEN);
    }

    async fn check(&self, _: &Head) -> Result<(), Refusal> {
        Err(Refusal::of(&kinds::FORBIDDEN))
    }
}

/// Offers the guard.
#[module(providers(Closed), exports(Closed))]
#[derive(Debug)]
pub struct ClosedModule;

/// Listed by the applications that want it.
#[derive(Debug, Injectable)]
pub struct Status;

#[controller("/status", elsewhere)]
impl Status {
    /// Says that it runs.
    #[get("/")]
    #[public]
    #[expect(clippy::unused_self, reason = "routes are methods")]
    fn read(&self) -> &'static str {
        "running"
    }
}
