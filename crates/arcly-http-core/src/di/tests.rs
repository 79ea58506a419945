//! The container by hand-written metadata; macros are tested in the façade.

use super::*;

#[test]
fn keys_tell_places_apart() {
    let a = Key::of("x::A", 1, 1);
    assert!(a.same(&Key::of("x::A", 1, 1)));
    assert!(!a.same(&Key::of("x::A", 2, 1)));
    const INNER: Key = Key::of("x::B", 3, 1);
    let generic = a.with(&[INNER]);
    assert!(!a.same(&generic));
    assert_eq!(generic.to_string(), "x::A<x::B>");
}
