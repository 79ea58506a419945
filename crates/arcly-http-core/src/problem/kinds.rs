//! The framework's own table of problems.

use super::{MemberDoc, ProblemKind};
use crate::validate::Violation;

/// All of them, ordered by status.
pub static ALL: &[&ProblemKind] = &[
    &BAD_REQUEST,
    &UNAUTHENTICATED,
    &FORBIDDEN,
    &NOT_FOUND,
    &ROUTE_NOT_FOUND,
    &METHOD_NOT_ALLOWED,
    &NOT_ACCEPTABLE,
    &REQUEST_TIMEOUT,
    &CONFLICT,
    &PRECONDITION_FAILED,
    &CONTENT_TOO_LARGE,
    &URI_TOO_LONG,
    &UNSUPPORTED_MEDIA_TYPE,
    &RANGE_NOT_SATISFIABLE,
    &MISDIRECTED,
    &INVALID_INPUT,
    &PRECONDITION_REQUIRED,
    &TOO_MANY_REQUESTS,
    &HEADERS_TOO_LARGE,
    &INTERNAL,
    &UNAVAILABLE,
    &TIMEOUT,
];

/// 400: the request cannot be read at all.
pub static BAD_REQUEST: ProblemKind = ProblemKind {
    status: 400,
    type_uri: "urn:arcly:problem:malformed-request",
    code: "malformed_request",
    title: "Malformed request",
    members: &[],
};

/// 401: credentials are missing or not valid.
pub static UNAUTHENTICATED: ProblemKind = ProblemKind {
    status: 401,
    type_uri: "urn:arcly:problem:unauthenticated",
    code: "unauthenticated",
    title: "Not authenticated",
    members: &[],
};

/// 403: the caller is known and may not do this.
pub static FORBIDDEN: ProblemKind = ProblemKind {
    status: 403,
    type_uri: "urn:arcly:problem:forbidden",
    code: "forbidden",
    title: "Forbidden",
    members: &[],
};

/// 404: no such resource, or none that the caller may know of.
pub static NOT_FOUND: ProblemKind = ProblemKind {
    status: 404,
    type_uri: "urn:arcly:problem:not-found",
    code: "not_found",
    title: "Not found",
    members: &[],
};

/// 404: no operation answers this path.
pub static ROUTE_NOT_FOUND: ProblemKind = ProblemKind {
    status: 404,
    type_uri: "urn:arcly:problem:route-not-found",
    code: "route_not_found",
    title: "No such route",
    members: &[],
};

/// 405: the path exists, for other methods (`Allow` lists them).
pub static METHOD_NOT_ALLOWED: ProblemKind = ProblemKind {
    status: 405,
    type_uri: "urn:arcly:problem:method-not-allowed",
    code: "method_not_allowed",
    title: "Method not allowed",
    members: &[],
};

/// 406: no representation satisfies `Accept`.
pub static NOT_ACCEPTABLE: ProblemKind = ProblemKind {
    status: 406,
    type_uri: "urn:arcly:problem:not-acceptable",
    code: "not_acceptable",
    title: "Not acceptable",
    members: &[],
};

/// 408: the client took too long to send the request.
pub static REQUEST_TIMEOUT: ProblemKind = ProblemKind {
    status: 408,
    type_uri: "urn:arcly:problem:request-timeout",
    code: "request_timeout",
    title: "Request timed out",
    members: &[],
};

/// 409: the request contradicts the present state.
pub static CONFLICT: ProblemKind = ProblemKind {
    status: 409,
    type_uri: "urn:arcly:problem:conflict",
    code: "conflict",
    title: "Conflict",
    members: &[],
};

/// 412: a condition in the headers does not hold.
pub static PRECONDITION_FAILED: ProblemKind = ProblemKind {
    status: 412,
    type_uri: "urn:arcly:problem:precondition-failed",
    code: "precondition_failed",
    title: "Precondition failed",
    members: &[],
};

/// 413: the body exceeds its limit.
pub static CONTENT_TOO_LARGE: ProblemKind = ProblemKind {
    status: 413,
    type_uri: "urn:arcly:problem:content-too-large",
    code: "content_too_large",
    title: "Content too large",
    members: &[],
};

/// 414: the target exceeds its limit.
pub static URI_TOO_LONG: ProblemKind = ProblemKind {
    status: 414,
    type_uri: "urn:arcly:problem:uri-too-long",
    code: "uri_too_long",
    title: "URI too long",
    members: &[],
};

/// 415: the body has a media type or coding that the operation does not read.
pub static UNSUPPORTED_MEDIA_TYPE: ProblemKind = ProblemKind {
    status: 415,
    type_uri: "urn:arcly:problem:unsupported-media-type",
    code: "unsupported_media_type",
    title: "Unsupported media type",
    members: &[],
};

/// 416: the range lies outside the representation.
pub static RANGE_NOT_SATISFIABLE: ProblemKind = ProblemKind {
    status: 416,
    type_uri: "urn:arcly:problem:range-not-satisfiable",
    code: "range_not_satisfiable",
    title: "Range not satisfiable",
    members: &[],
};

/// 421: this server does not answer for the named host.
pub static MISDIRECTED: ProblemKind = ProblemKind {
    status: 421,
    type_uri: "urn:arcly:problem:misdirected-request",
    code: "misdirected_request",
    title: "Misdirected request",
    members: &[],
};

/// 422: the request was read and breaks rules, each listed in `violations`.
pub static INVALID_INPUT: ProblemKind = ProblemKind {
    status: 422,
    type_uri: "urn:arcly:problem:invalid-input",
    code: "invalid_input",
    title: "Invalid input",
    members: &VIOLATIONS,
};

/// 428: the operation wants a condition such as `If-Match`.
pub static PRECONDITION_REQUIRED: ProblemKind = ProblemKind {
    status: 428,
    type_uri: "urn:arcly:problem:precondition-required",
    code: "precondition_required",
    title: "Precondition required",
    members: &[],
};

/// 429: a rate or concurrency limit is used up.
pub static TOO_MANY_REQUESTS: ProblemKind = ProblemKind {
    status: 429,
    type_uri: "urn:arcly:problem:too-many-requests",
    code: "too_many_requests",
    title: "Too many requests",
    members: &[],
};

/// 431: the header section exceeds its limit.
pub static HEADERS_TOO_LARGE: ProblemKind = ProblemKind {
    status: 431,
    type_uri: "urn:arcly:problem:headers-too-large",
    code: "headers_too_large",
    title: "Header fields too large",
    members: &[],
};

/// 500: a fault of ours; the cause is in the log.
pub static INTERNAL: ProblemKind = ProblemKind {
    status: 500,
    type_uri: "urn:arcly:problem:internal",
    code: "internal",
    title: "Internal error",
    members: &[],
};

/// 503: the server is draining, overloaded or lacks a dependency.
pub static UNAVAILABLE: ProblemKind = ProblemKind {
    status: 503,
    type_uri: "urn:arcly:problem:unavailable",
    code: "unavailable",
    title: "Unavailable",
    members: &[],
};

/// 504: the operation did not finish within its deadline.
pub static TIMEOUT: ProblemKind = ProblemKind {
    status: 504,
    type_uri: "urn:arcly:problem:timeout",
    code: "timeout",
    title: "Timed out",
    members: &[],
};

static VIOLATIONS: [MemberDoc; 1] = [MemberDoc {
    name: "violations",
    schema: |generator| generator.subschema_for::<Vec<Violation>>(),
}];
