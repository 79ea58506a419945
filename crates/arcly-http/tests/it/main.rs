//! The façade as users see it.

mod graph;
mod http_api;
mod problem_derive;
mod ui;
