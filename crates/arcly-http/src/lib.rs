//! The arcly-http framework.
