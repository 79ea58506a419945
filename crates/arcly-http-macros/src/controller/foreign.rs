//! Attributes of other frameworks, and what stands for each here. The compiler knows none
//! of them and would say no more than that.

use crate::support::Errors;

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Block,
    Method,
    Argument,
}

/// Takes the foreign ones away, each with an error that names the way out.
pub(crate) fn refuse(attrs: &mut Vec<syn::Attribute>, place: Place, errors: &mut Errors) {
    attrs.retain(|attr| {
        // A path is another crate's macro, and may mean what it says.
        let Some(word) = attr.path().get_ident().map(ToString::to_string) else { return true };
        let Some(advice) = advice(&word, place) else { return true };
        errors.at(attr, format!("there is no `#[{word}]`: {advice}"));
        false
    });
}

const ACTION: &str = "write `#[can(Article::Publish)]`, an action whose `#[action(role = \"..\")]` names roles and scopes";
const READS_HEADER: &str = "an argument of the method reads a header: `x_tenant: Header<String>`; one that is sent belongs to the type that is returned";
const DOCUMENT: &str =
    "the document is written from the doc comment, the arguments and the type that is returned";

/// What to write instead of an attribute, whatever its case: `UseGuards`, `use_guards`.
fn advice(word: &str, place: Place) -> Option<String> {
    let plain = word.replace('_', "").to_lowercase();
    let setting = |text: &str| match place {
        Place::Block => format!("write `{text}` into `#[controller(\"/..\", ..)]`"),
        _ => format!("write `{text}` behind the path: `#[get(\"/..\", {text})]`"),
    };
    let stage = |name: &str, ty: &str| format!("write `#[{name}({ty})]`");
    let rule = |rule: &str| match place {
        Place::Block => format!("write `#[{rule}]` on each method"),
        _ => format!("write `#[{rule}]`"),
    };
    Some(match plain.as_str() {
        "useguards" | "useguard" | "guard" => stage("guards", "TheGuard"),
        "useinterceptors" | "useinterceptor" | "interceptor" => {
            stage("interceptors", "TheInterceptor")
        }
        "usefilters" | "usefilter" | "filter" | "catch" | "exceptionhandler" => {
            stage("filters", "TheFilter")
        }
        "middleware" | "middlewares" | "usemiddleware" | "layer" | "wrap" => {
            stage("layers", "function_that_makes_it")
        }
        "roles" | "role" | "rolesallowed" | "hasrole" | "secured" | "preauthorize"
        | "postauthorize" | "authorize" | "permissions" | "permission" | "requirerole"
        | "requireroles" | "scopes" => ACTION.to_owned(),
        "permitall" | "allowanonymous" | "anonymous" | "skipauth" | "noauth" => rule("public"),
        "auth" | "authenticate" | "loginrequired" | "requireauth" | "protected" | "private"
        | "useauth" => rule("authenticated"),
        "onopen" | "onconnection" | "connect" | "handleconnection" | "afterconnectionestablished" => {
            "what runs before a socket is open has `#[on_connect]`, in a `#[gateway(\"/..\")]` block".to_owned()
        }
        "onclose" | "disconnect" | "handledisconnect" | "afterconnectionclosed" => {
            "what runs when a socket is gone has `#[on_disconnect]`, in a `#[gateway(\"/..\")]` block".to_owned()
        }
        "every" => {
            "inject `Inject<Tasks>` and call `tasks.every(..)` in `Lifecycle::on_start` of the provider".to_owned()
        }
        "subscribes" | "subscribemessage" | "messagemapping" | "onmessage" | "event" => {
            "messages of sockets are taken by `#[subscribe(\"event\")]` inside a `#[gateway(\"/..\")]` block".to_owned()
        }
        "websocketserver" | "connectedsocket" => {
            "inject `Inject<Hub>` into the struct to push, and take `client: &WsClient` for the socket itself".to_owned()
        }
        "messagebody" => {
            "the data of a message is an argument: `data: Json<TheType>`".to_owned()
        }
        "denyall" => "an operation that nobody may call is left out".to_owned(),
        "httpcode" | "responsestatus" | "status" | "statuscode" => {
            "the type that is returned says the status: `Created<..>`, `Accepted<..>`, `NoContent`"
                .to_owned()
        }
        "redirect" => "return `arcly_http::web::reply::Redirect`".to_owned(),
        "render" => "return `arcly_http::web::reply::Html`".to_owned(),
        "responsebody" | "produces" => "return `Json<..>`".to_owned(),
        "header" | "headers" | "setheader" | "responseheader" | "requestheader" | "fromheader" => {
            READS_HEADER.to_owned()
        }
        "body" | "requestbody" | "frombody" | "payload" => {
            "the type of an argument reads the body: `body: Json<NewOrder>`, or `Valid<Json<NewOrder>>`".to_owned()
        }
        "param" | "params" | "pathvariable" | "pathparam" | "fromroute" | "frompath" => {
            "an argument reads the parameter of its name: `id: Path<u64>`".to_owned()
        }
        "query" | "queries" | "requestparam" | "queryparam" | "fromquery" => {
            "an argument reads the query: `filter: Query<Filter>`, a struct whose fields are the parameters".to_owned()
        }
        "cookie" | "cookies" | "cookievalue" => {
            "an argument reads the cookie of its name: `session: Cookie<String>`".to_owned()
        }
        "modelattribute" | "fromform" | "formdata" => {
            "an argument reads a form: `body: Form<NewOrder>`".to_owned()
        }
        "uploadedfile" | "uploadedfiles" => {
            "an argument reads files: `body: Multipart<..>`".to_owned()
        }
        "validate" | "validated" | "valid" | "usepipes" | "pipe" => {
            "the type of the argument asks for it: `body: Valid<Json<NewOrder>>`".to_owned()
        }
        "getmapping" | "httpget" => "write `#[get(\"/..\")]`".to_owned(),
        "postmapping" | "httppost" => "write `#[post(\"/..\")]`".to_owned(),
        "putmapping" | "httpput" => "write `#[put(\"/..\")]`".to_owned(),
        "patchmapping" | "httppatch" => "write `#[patch(\"/..\")]`".to_owned(),
        "deletemapping" | "httpdelete" => "write `#[delete(\"/..\")]`".to_owned(),
        "requestmapping" | "restcontroller" | "apicontroller" if place == Place::Block => {
            "write `#[controller(\"/..\")]`, which has the prefix".to_owned()
        }
        "requestmapping" | "handler" | "endpoint" | "any" | "all" => {
            "each method is a route of its own: `#[get(\"/..\")]`, `#[post(\"/..\")]`; any other: `#[route(\"PURGE\", \"/..\")]`".to_owned()
        }
        "cron" | "scheduled" | "interval" => {
            "inject `Tasks` and start the work in `Lifecycle::on_start`: `tasks.every(..)`"
                .to_owned()
        }
        "throttle" | "ratelimit" | "ratelimited" | "ratelimiter" | "limit" => {
            setting("rate_limit(\"100/min\", per = address)")
        }
        "skipthrottle" => "limits stand where they shall count: on each route, or on controllers without this one".to_owned(),
        "timeout" | "deadline" => setting("deadline = \"5s\""),
        "bodylimit" | "requestsizelimit" => setting("body_limit = \"64KiB\""),
        "cache" | "cacheable" | "cachettl" | "cachekey" | "responsecache" | "outputcache" => {
            "write `cache(\"30s\")` behind the path: `#[get(\"/..\", cache(\"30s\"))]`".to_owned()
        }
        "cors" | "crossorigin" | "enablecors" => setting("cors = function_that_makes_it"),
        "csrf" => setting("csrf = false"),
        "version" | "apiversion" => setting("version = \"1\""),
        "tag" | "tags" | "apitags" => setting("tags(\"..\")"),
        "host" => setting("host = \"api.example.com\""),
        "operationid" => setting("operation_id = \"..\""),
        "apioperation" | "operation" | "summary" | "description" | "apiresponse"
        | "apiresponses" | "apiokresponse" | "apicreatedresponse" | "apibody" | "apiparam"
        | "apiquery" | "apiheader" | "apibearerauth" => DOCUMENT.to_owned(),
        "inject" | "autowired" => {
            "the controller's struct has what it needs: a field of type `Inject<..>`".to_owned()
        }
        "provider" | "bean" => {
            "a factory is a free function: write it outside of this block, with `#[provider]`"
                .to_owned()
        }
        "name" | "reads" if place == Place::Method => {
            format!("`#[{word}(\"..\")]` stands on an argument of the method")
        }
        _ => return None,
    })
}
