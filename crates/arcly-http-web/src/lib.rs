//! Request pipeline of arcly-http: routes, stages, arguments, replies, documents, serving.
