//! Tower layers around interceptors and handler.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use arcly_http_core::problem::Problem;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use super::{Core, render};
use crate::cache::Refused;
use crate::stage::LayerService;
use crate::{Body, Context, Response};

/// The parts of a context that have no place in an `http::Request`, on their way
/// through the layers.
#[derive(Clone)]
struct Carried(Arc<Mutex<Option<Context>>>);

/// Puts layers around a route; the first of the list is the outermost.
pub(crate) fn apply_layers(
    core: &Arc<Core>,
    layers: &[Arc<dyn Fn(LayerService) -> LayerService + Send + Sync>],
) -> Option<LayerService> {
    if layers.is_empty() {
        return None;
    }
    let core = Arc::clone(core);
    let innermost = tower::service_fn(move |request: http::Request<Body>| {
        let core = Arc::clone(&core);
        async move { Ok::<_, Infallible>(unpack(&core, request).await) }
    });
    let mut service: LayerService = BoxCloneSyncService::new(innermost);
    for layer in layers.iter().rev() {
        service = layer(service);
    }
    Some(service)
}

pub(super) async fn call(
    service: LayerService,
    context: &mut Context,
) -> Result<Response, Problem> {
    let mut request = http::Request::new(context.take_body());
    let head = &mut context.head;
    let rest = Context {
        head: render::shallow(head),
        body: None,
        body_limit: context.body_limit,
        begun: context.begun,
        is_admitted: true,
        limit: context.limit.take(),
        // A place that is taken already stays outside: the request may be given up
        // in here, which is said of it then.
        place: None,
        rates: String::new(),
        leading: None,
        scoped: std::mem::take(&mut context.scoped),
        socket: context.socket.clone(),
        is_binary: context.is_binary,
    };
    let mut rest = rest;
    rest.head.fact = head.fact;
    rest.head.claims = head.claims.clone();
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers.clone();
    *request.extensions_mut() = std::mem::take(&mut head.extensions);
    request.extensions_mut().insert(Carried(Arc::new(Mutex::new(Some(rest)))));
    match service.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// Inside the layers: the request becomes a context again.
async fn unpack(core: &Core, request: http::Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let carried = parts.extensions.remove::<Carried>();
    let context = carried
        .and_then(|Carried(slot)| slot.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(mut context) = context else {
        // A layer that calls the inner service twice, or with a request of its
        // own making.
        let problem =
            Problem::internal("a tower layer did not pass the request's extensions on once");
        return render::problem(&problem, &arcly_http_core::scope::RequestId::fresh());
    };
    context.body = Some(body);
    context.head.headers = parts.headers;
    context.head.extensions = parts.extensions;
    let result = core.run(&mut context).await;
    context.finish(core.clock.elapsed());
    match result {
        Ok(response) => response,
        Err(problem) => {
            let mut response = render::filtered(problem, &context.head, &core.filters).await;
            // Whatever its status, it is no answer to be kept.
            response.extensions_mut().insert(Refused);
            response
        }
    }
}
