//! Reading input strictly, and telling the client what is wrong in the
//! client's own names.

mod violation;

pub use violation::Violation;
