//! Vocabulary of arcly-http: dependency graph and its proof, scope, access,
//! contract, problems, configuration, time.

pub mod problem;
pub mod validate;
