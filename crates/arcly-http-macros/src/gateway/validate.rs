//! Faults of a gateway that can be shown at a token.

use super::parse::{Args, Taken};
use crate::controller::validate as of_controller;
use crate::support::{Errors, is_event_name};

pub(super) fn gateway(args: &Args, item: &syn::ItemImpl, taken: &Taken, errors: &mut Errors) {
    let path = args.base.prefix.as_ref();
    match path.filter(|path| !path.value().starts_with('/') || path.value().ends_with('/')) {
        Some(path) => errors
            .at(path, "the path of a gateway begins with `/` and does not end with it: `/live`"),
        None => of_controller::controller(&args.base, item, errors),
    }
    match &taken.connect {
        Some(connect) => {
            let body = connect.arguments.iter().find(|argument| {
                let kind = of_controller::kind_of(&argument.ty);
                matches!(kind.as_deref(), Some("Json" | "Form" | "Multipart" | "RawBody"))
            });
            match body {
                Some(argument) => errors.at(
                    &argument.ty,
                    "a handshake has no body: take `Query<..>` or `Header<..>`, or have the client send it as an event",
                ),
                None => of_controller::route(&args.base, connect, errors),
            }
            for argument in &connect.arguments {
                if matches!(of_controller::kind_of(&argument.ty).as_deref(), Some("WsMessage")) {
                    errors.at(&argument.ty, "no message is there yet; `#[message]` handlers take it");
                }
            }
        }
        None if taken.connects.is_empty() && !taken.is_faulty => errors.at(
            &item.self_ty,
            "this gateway does not say who may connect: add `#[on_connect] #[public] async fn connect(&self) {}`, with `#[authenticated]` or `#[can(..)]` where not everybody may",
        ),
        None => {}
    }
    if taken.events.is_empty() && !taken.is_faulty && args.emits.is_empty() {
        errors.at(
            &item.self_ty,
            "this gateway takes and sends nothing: put `#[subscribe(\"event\")]` on one of its methods, or name what it sends by `emits(..)`",
        );
    }
    for (index, event) in taken.events.iter().enumerate() {
        of_controller::event(&args.base, &event.route, errors);
        let name = event.name.value();
        let is_message = name.is_empty() && args.is_raw;
        if args.is_raw && !name.is_empty() {
            errors.at(
                &event.name,
                "a raw gateway has no events: its messages go to one method, `#[message]`",
            );
        } else if !args.is_raw && event.route.args.path.value() == "#" {
            errors.on(event.name.span(), "messages as they are, are for `codec = raw`; here messages have events: `#[subscribe(\"name\")]`");
        } else if !is_message && !is_event_name(&name) {
            errors.at(
                &event.name,
                "the name of an event is letters, digits, `.`, `_`, `:` and `-`: `tag.watch`",
            );
        } else if name.starts_with("session.") {
            errors.at(&event.name, "events that begin with `session.` are the framework's own");
        }
        if taken.events[..index].iter().any(|other| other.name.value() == name) {
            let what = if is_message {
                "a raw gateway has one `#[message]`".to_owned()
            } else {
                format!("another method of this gateway takes `{name}`; an event has one handler")
            };
            errors.on(event.name.span(), what);
        }
    }
}
