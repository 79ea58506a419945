//! Testing kit of arcly-http: the app in memory, typed requests, captured logs, a clock that can be moved.
