//! Attributes and derives of arcly-http.
//!
//! Each macro is one line here over `parse`, `validate` and `expand` in a
//! folder of its own. Expansions name one hidden module of the façade,
//! `::arcly_http::__rt`, and nothing else.
