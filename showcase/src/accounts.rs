//! Users: registration, login, the current user.

mod controller;
mod current;
mod store;

use arcly_http::prelude::*;

pub(crate) use current::{CurrentUser, Viewer};

/// Registration, login and the current user.
#[module(
    prefix = "/api",
    filters(crate::errors::ConduitErrors),
    providers(store::UserStore),
    controllers(controller::AccountController)
)]
pub(crate) struct AccountModule;
