//! serde over the parser's syntax tree, so that whatever a type refuses is refused with a place.

use std::collections::HashMap;
use std::fmt;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::position::{LOCATED, Lines, Position};

/// A value of the tree.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    value: &'t Value<'t>,
    lines: &'t Lines<'t>,
}

/// What a type refused, and where, once a value on the way back knows.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Option<Position>,
    pub(super) problem: String,
}

impl<'t> Node<'t> {
    pub(super) fn new(value: &'t Value<'t>, lines: &'t Lines<'t>) -> Self {
        Self { value, lines }
    }

    fn position(&self) -> Position {
        self.lines.position(self.value.start())
    }

    /// Gives `visitor` this value.
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::StringLit(string) => visitor.visit_str(&string.value),
            Value::NumberLit(number) => visit_number(number.value, visitor),
            Value::BooleanLit(boolean) => visitor.visit_bool(boolean.value),
            Value::NullKeyword(_) => visitor.visit_unit(),
            Value::Array(array) => {
                let nodes = array.elements.iter().map(|value| Self::new(value, self.lines));
                let mut seq = SeqDeserializer::new(nodes);
                let value = visitor.visit_seq(&mut seq)?;
                seq.end()?;
                Ok(value)
            }
            Value::Object(object) => {
                let mut map = self.map(object)?;
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
        }
    }

    fn map<'de>(
        self,
        object: &'t Object<'t>,
    ) -> Result<MapDeserializer<'de, impl Iterator<Item = (Key<'t>, Node<'t>)>, Fault>, Fault> {
        let lines = self.lines;
        let mut seen = HashMap::with_capacity(object.properties.len());
        for property in &object.properties {
            let key = Key { property, lines };
            if let Some(first) = seen.insert(key.name(), key) {
                let problem =
                    format!("the key {:?} is there twice; first at {}", key.name(), first.position());
                return Err(Fault { at: Some(key.position()), problem });
            }
        }
        let pairs = object
            .properties
            .iter()
            .map(move |property| (Key { property, lines }, Self::new(&property.value, lines)));
        Ok(MapDeserializer::new(pairs))
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor).map_err(|fault| fault.or_at(self.position()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|fault| fault.or_at(self.position()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == LOCATED {
            let Position { line, column } = self.position();
            let parts = [Part::Number(line), Part::Number(column), Part::Value(self)];
            return visitor.visit_seq(SeqDeserializer::new(parts.into_iter()));
        }
        visitor.visit_newtype_struct(self).map_err(|fault| fault.or_at(self.position()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::StringLit(string) => visitor.visit_enum(string.value.as_ref().into_deserializer()),
            Value::Object(object) => visitor.visit_enum(MapAccessDeserializer::new(self.map(object)?)),
            _ => self.visit(visitor),
        }
        .map_err(|fault| fault.or_at(self.position()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The name of a property. An unknown one is refused here, and so gets the place of the name.
#[derive(Clone, Copy)]
struct Key<'t> {
    property: &'t ObjectProp<'t>,
    lines: &'t Lines<'t>,
}

impl<'t> Key<'t> {
    fn name(self) -> &'t str {
        self.property.name.as_str()
    }

    fn position(self) -> Position {
        self.lines.position(self.property.name.start())
    }
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.name()).map_err(|fault: Fault| fault.or_at(self.position()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for Key<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A part of what a `Located` is made of.
enum Part<'t> {
    Number(usize),
    Value(Node<'t>),
}

impl<'t> IntoDeserializer<'_, Fault> for Part<'t> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Part<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Number(number) => visitor.visit_u64(number as u64),
            Self::Value(node) => node.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Number(_) => self.deserialize_any(visitor),
            Self::Value(node) => node.deserialize_option(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Self::Number(_) => self.deserialize_any(visitor),
            Self::Value(node) => node.deserialize_newtype_struct(name, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Self::Number(_) => self.deserialize_any(visitor),
            Self::Value(node) => node.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl Fault {
    /// The same, at `position` if it has no place yet.
    fn or_at(mut self, position: Position) -> Self {
        self.at.get_or_insert(position);
        self
    }
}

impl Error for Fault {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self { at: None, problem: problem.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Fault {}

/// Gives `visitor` the number that `text` writes: an integer if it is one and fits 64 bits.
fn visit_number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(number) = text.parse() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = text.parse() {
        return visitor.visit_i64(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => visitor.visit_f64(number),
        _ => Err(Fault::custom("the number is out of range")),
    }
}
