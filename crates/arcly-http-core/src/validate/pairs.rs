//! A serde deserializer for `a=1&b=2&b=3`.
//!
//! Stricter than the usual ones: an empty value is not a missing one, a repeated
//! key is a fault unless the field is a list, and numbers are whole texts.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::percent_decode;
use serde::de::value::{BorrowedStrDeserializer, Error, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// So many keys are found by looking at each.
const FEW: usize = 16;

/// All pairs, grouped by key in the order of first appearance.
#[derive(Clone)]
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>);

impl<'a> Pairs<'a> {
    /// Reads pairs; `Err` is the first piece that is not UTF-8.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        // The parser would replace what it cannot read.
        for piece in bytes.split(|byte| matches!(byte, b'&' | b'=')) {
            if percent_decode(piece).decode_utf8().is_err() {
                return Err(String::from_utf8_lossy(piece).into_owned());
            }
        }
        let mut groups: Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)> = vec![];
        // Filled once there are many keys: looking through all of them for each would
        // take a form of 2 MiB minutes.
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        for (key, value) in form_urlencoded::parse(bytes) {
            let place = if groups.len() < FEW {
                groups.iter().position(|(known, _)| *known == key)
            } else {
                if places.is_empty() {
                    places.extend(groups.iter().map(|(known, _)| known.clone()).zip(0..));
                }
                places.get(&key).copied()
            };
            match place {
                Some(place) => groups[place].1.push(value),
                None => {
                    if !places.is_empty() {
                        places.insert(key.clone(), groups.len());
                    }
                    groups.push((key, vec![value]));
                }
            }
        }
        Ok(Self(groups))
    }

    /// The keys with their values.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.0.iter().map(|(key, values)| (&**key, values.iter().map(|value| &**value).collect()))
    }
}

impl<'de> Deserializer<'de> for Pairs<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { rest: self.0.into_iter(), value: None })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'de> {
    rest: std::vec::IntoIter<(Cow<'de, str>, Vec<Cow<'de, str>>)>,
    value: Option<Vec<Cow<'de, str>>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, values)) = self.rest.next() else { return Ok(None) };
        self.value = Some(values);
        match key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(StringDeserializer::new(key)),
        }
        .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let values = self.value.take().ok_or_else(|| Error::custom("a value without a key"))?;
        seed.deserialize(Values(values))
    }
}

/// The values of one key.
struct Values<'de>(Vec<Cow<'de, str>>);

impl<'de> Values<'de> {
    fn one(mut self) -> Result<Cow<'de, str>, Error> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(value), true) => Ok(value),
            _ => Err(Error::custom("given more than once")),
        }
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $ty:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.one()?;
            match text.parse::<$ty>() {
                // Rust reads `+1`, JSON does not: one number, one spelling.
                Ok(value) if !text.starts_with('+') => visitor.$visit(value),
                Ok(_) => Err(Error::invalid_type(Unexpected::Str(&text), &stringify!($ty))),
                // A number all the same, only not one of this type.
                Err(_) if text.parse::<f64>().is_ok_and(|number| number.trunc() == number) => {
                    Err(Error::invalid_value(Unexpected::Str(&text), &stringify!($ty)))
                }
                Err(_) => Err(Error::invalid_type(Unexpected::Str(&text), &stringify!($ty))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.one()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    parsed! {
        deserialize_i8 visit_i8 i8; deserialize_i16 visit_i16 i16; deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64; deserialize_u8 visit_u8 u8; deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32; deserialize_u64 visit_u64 u64;
        deserialize_f32 visit_f32 f32; deserialize_f64 visit_f64 f64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &*self.one()? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(Error::invalid_type(Unexpected::Str(other), &"a boolean")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self.0.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Word(self.one()?))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier
    }
}

struct Items<'de>(std::vec::IntoIter<Cow<'de, str>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(Values(vec![value]))).transpose()
    }
}

/// A variant without data.
struct Word<'de>(Cow<'de, str>);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Error;
    type Variant = Unit;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Unit), Error> {
        Ok((seed.deserialize(self.0.into_deserializer())?, Unit))
    }
}

struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _seed: S) -> Result<S::Value, Error> {
        Err(Error::custom("expected a word"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("expected a word"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom("expected a word"))
    }
}
