//! Authentication for arcly-http: strict JWT, password hashing on a bounded pool, keys.
