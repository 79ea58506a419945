//! Keys: what the graph calls a provided thing.

/// Names one provided thing in the graph.
///
/// Two keys are the same when hash, name and arguments agree; the hash also
/// covers file, line and column, so that two types of one name (in two function
/// bodies, say) stay apart.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// 64-bit FNV-1a over name, place and arguments.
    pub hash: u64,
    /// Full path, as a person would write it: `shop::orders::Orders`.
    pub name: &'static str,
    /// Keys of the generic arguments, or of what a qualifier qualifies.
    pub args: &'static [Key],
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

const fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(FNV_PRIME);
        i += 1;
    }
    hash
}

const fn mix_u64(hash: u64, value: u64) -> u64 {
    mix(hash, &value.to_le_bytes())
}

impl Key {
    /// A key for a type that stands at one place of the source.
    #[must_use]
    pub const fn of(name: &'static str, line: u32, column: u32) -> Self {
        let hash = mix_u64(mix(FNV_OFFSET, name.as_bytes()), ((line as u64) << 32) | column as u64);
        Self { hash, name, args: &[] }
    }

    /// The same key with generic arguments.
    #[must_use]
    pub const fn with(self, args: &'static [Self]) -> Self {
        let mut hash = self.hash;
        let mut i = 0;
        while i < args.len() {
            hash = mix_u64(hash, args[i].hash);
            i += 1;
        }
        Self { hash, name: self.name, args }
    }

    /// Whether both name the same thing. `==` is not available in constants.
    #[must_use]
    pub const fn same(&self, other: &Self) -> bool {
        if self.hash != other.hash || !str_eq(self.name, other.name) {
            return false;
        }
        if self.args.len() != other.args.len() {
            return false;
        }
        let mut i = 0;
        while i < self.args.len() {
            if !self.args[i].same(&other.args[i]) {
                return false;
            }
            i += 1;
        }
        true
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
        state.write_u64(self.hash);
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

pub(super) const fn str_eq(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A type that the graph can name.
///
/// Written by `#[derive(Injectable)]` for structs and by `#[injectable]` for
/// traits (`dyn Trait`). A type of another crate is named through a marker with
/// `#[derive(Qualifier)]`.
#[diagnostic::on_unimplemented(
    message = "the dependency graph has no name for `{Self}`",
    label = "neither `#[derive(Injectable)]` nor, for a trait, `#[injectable]`",
    note = "your own struct: add `#[derive(Injectable)]`; your own trait: put `#[injectable]` on it",
    note = "a type of another crate: declare a marker `#[derive(Qualifier)] #[qualifier(TheType)] struct Main;`, provide it by `#[provider(qualifier = Main)]` and inject `Inject<TheType, Main>`"
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
