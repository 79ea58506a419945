//! Keys: what the graph calls a provided thing.

/// Names one provided thing in the graph.
///
/// Two keys are the same when their hashes are: 128 bits over name, place and
/// arguments, where the place (line and column) keeps apart two types of one
/// name, in two function bodies, say. Names are not compared: that would cost
/// constant evaluation more than everything else that the proof does.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    // Invariant: made by `of` and `with` only, from all that tells keys apart.
    pub(super) hash: u128,
    /// Full path, as a person would write it: `shop::orders::Orders`.
    pub name: &'static str,
    /// Keys of the generic arguments, or of what a qualifier qualifies.
    pub args: &'static [Key],
}

/// 2^128 divided by the golden ratio: odd, with its bits spread evenly.
const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// For one `hash`, no two words give the same.
const fn mix(hash: u128, word: u128) -> u128 {
    let product = (hash ^ word).wrapping_mul(FACTOR);
    product ^ (product >> 64)
}

/// Slice patterns and words of 16 bytes, because constant evaluation pays for
/// each step: this takes an eighth of the time of a loop over bytes.
pub(super) const fn hash_of(text: &str) -> u128 {
    let mut bytes = text.as_bytes();
    let mut hash = bytes.len() as u128;
    while let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, rest @ ..] = bytes {
        let word = [*a, *b, *c, *d, *e, *f, *g, *h, *i, *j, *k, *l, *m, *n, *o, *p];
        hash = mix(hash, u128::from_ne_bytes(word));
        bytes = rest;
    }
    if let [a, b, c, d, e, f, g, h, rest @ ..] = bytes {
        let word = u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        hash = mix(hash, word as u128);
        bytes = rest;
    }
    let mut last = 0;
    while let [byte, rest @ ..] = bytes {
        last = (last << 8) | *byte as u128;
        bytes = rest;
    }
    mix(hash, last)
}

impl Key {
    /// A key for a type that stands at one place of the source.
    #[must_use]
    pub const fn of(name: &'static str, line: u32, column: u32) -> Self {
        let hash = mix(hash_of(name), ((line as u128) << 32) | column as u128);
        Self { hash, name, args: &[] }
    }

    /// The same key with generic arguments.
    #[must_use]
    pub const fn with(self, args: &'static [Self]) -> Self {
        let mut hash = self.hash;
        let mut rest = args;
        while let [arg, more @ ..] = rest {
            hash = mix(hash, arg.hash);
            rest = more;
        }
        Self { hash, name: self.name, args }
    }

    /// Whether both name the same thing. `==` is not available in constants.
    #[must_use]
    pub const fn same(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u128(self.hash);
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if let Some((first, rest)) = self.args.split_first() {
            write!(f, "<{first}")?;
            for arg in rest {
                write!(f, ", {arg}")?;
            }
            f.write_str(">")?;
        }
        Ok(())
    }
}

/// `==` is not available in constants.
pub(super) const fn str_eq(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        (a, b) = (a_rest, b_rest);
    }
    true
}

/// The name of a thing without its path.
pub(super) const fn last_segment(path: &'static str) -> &'static str {
    let bytes = path.as_bytes();
    let mut i = bytes.len();
    while i > 0 {
        if bytes[i - 1] == b':' {
            return path.split_at(i).1;
        }
        i -= 1;
    }
    path
}

/// A type that the graph can name.
///
/// Written by `#[derive(Injectable)]` for structs, by `#[derive(Token)]` for those that a
/// factory makes, and by `#[injectable]` for
/// traits (`dyn Trait`). A type of another crate is named through a marker with
/// `#[derive(Qualifier)]`.
#[diagnostic::on_unimplemented(
    message = "the dependency graph has no name for `{Self}`",
    label = "neither `#[derive(Injectable)]` nor, for a trait, `#[injectable]`",
    note = "your own struct: add `#[derive(Injectable)]`, or `#[derive(Token)]` if a factory makes it; your own trait: put `#[injectable]` on it",
    note = "a type of another crate: declare a marker `#[derive(Qualifier)] #[qualifier(TheType)] struct Main;`, provide it by `#[provider(qualifier = Main)]` and inject `Inject<TheType, Main>`; or let the factory return `Arc<dyn YourTrait>`"
)]
pub trait Token {
    /// The name.
    const KEY: Key;
    /// Whether several providers may be bound to it (`#[injectable(many)]`);
    /// such a trait is injected as `All<dyn Trait>` only.
    const MANY: bool = false;
}

/// Tells apart several providers of one type, and names types of other crates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not qualify `{T}`",
    label = "add `{T}` to its `#[qualifier(..)]`",
    note = "a marker is declared by `#[derive(Qualifier)] #[qualifier(TheType)] struct Main;`"
)]
pub trait Qualifier<T: ?Sized>: 'static {
    /// The key of `T` as this marker qualifies it.
    const KEY: Key;
    /// See [`Token::MANY`].
    const MANY: bool = false;
}

/// The default qualifier: none.
#[derive(Debug, Clone, Copy)]
pub struct Unqualified;

impl<T: Token + ?Sized> Qualifier<T> for Unqualified {
    const KEY: Key = T::KEY;
    const MANY: bool = T::MANY;
}
