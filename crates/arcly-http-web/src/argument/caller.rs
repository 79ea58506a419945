//! Who asks.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use arcly_http_core::scope::{Claims, Scope};

use super::{Argument, BindError, Binder, FromRequest};
use crate::{Context, Head};

/// The verified caller. On a `#[public]` route take `Option<Caller>`.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Claims>);

impl Deref for Caller {
    type Target = Claims;
    fn deref(&self) -> &Claims {
        &self.0
    }
}

impl FromRequest for Caller {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.problem(&kinds::UNAUTHENTICATED);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        head.claims.clone().map(Self).ok_or_else(|| {
            Problem::of(&kinds::UNAUTHENTICATED).with_detail("send your credentials")
        })
    }
}

impl Argument for Option<Caller> {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, _operation: &mut Operation) {}

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        Ok(context.head.claims.clone().map(Caller))
    }
}

impl Argument for Scope {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, _operation: &mut Operation) {}

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        Ok(context.head.scope())
    }
}

/// The address of the client: that of the connection, or what a trusted proxy says
/// ([`crate::app::LaunchConfig::trusted_proxies`]). `None` in tests and on Unix sockets.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddr(pub Option<IpAddr>);

impl Argument for ClientAddr {
    type Bound = ();
    const IMMEDIATE: bool = true;

    fn describe(_name: &str, _operation: &mut Operation) {}

    fn bind(_name: &'static str, _binder: &Binder<'_>) -> Result<(), BindError> {
        Ok(())
    }

    async fn extract(_bound: &(), context: &mut Context) -> Result<Self, Problem> {
        Ok(Self(context.head.client))
    }
}
