//! Reads and writes the members of requests and answers as the protocol layer of the service does: a
//! null counts as absent, an unknown member is ignored, a wrong type is an error. It checks types only;
//! each operation checks its values.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A value of the wrong type; the text is what a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType(pub String);

/// A value that can stand in a request or an answer.
pub trait ShapeMember: Sized {
    /// Reads it; `value` is not null.
    fn read(value: Value) -> Result<Self, WrongType>;
    /// Writes it, without absent members.
    fn write(&self) -> Value;
}

/// The error that something else was found than `wanted`, which includes its article.
fn unexpected(found: &Value, wanted: &str) -> WrongType {
    let word = match found {
        Value::Array(_) => return WrongType("Start of list found where not expected".into()),
        Value::Object(_) => {
            return WrongType("Start of structure or map found where not expected".into());
        }
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
    };
    WrongType(format!("{word} can not be converted to {wanted}"))
}

impl ShapeMember for String {
    fn read(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(unexpected(&other, "a String")),
        }
    }
    fn write(&self) -> Value {
        Value::String(self.clone())
    }
}

impl ShapeMember for bool {
    fn read(value: Value) -> Result<Self, WrongType> {
        value.as_bool().ok_or_else(|| unexpected(&value, "a Boolean"))
    }
    fn write(&self) -> Value {
        Value::Bool(*self)
    }
}

impl ShapeMember for i32 {
    fn read(value: Value) -> Result<Self, WrongType> {
        let number = value.as_i64().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| unexpected(&value, "an Integer"))
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl ShapeMember for i64 {
    fn read(value: Value) -> Result<Self, WrongType> {
        value.as_i64().ok_or_else(|| unexpected(&value, "a Long"))
    }
    fn write(&self) -> Value {
        Value::from(*self)
    }
}

impl<T: ShapeMember> ShapeMember for Vec<T> {
    fn read(value: Value) -> Result<Self, WrongType> {
        match value {
            Value::Array(items) => {
                items.into_iter().filter(|item| !item.is_null()).map(T::read).collect()
            }
            other => Err(unexpected(&other, "a List")),
        }
    }
    fn write(&self) -> Value {
        self.iter().map(T::write).collect()
    }
}

impl<T: ShapeMember> ShapeMember for BTreeMap<String, T> {
    fn read(value: Value) -> Result<Self, WrongType> {
        structure(value)?
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| Ok((key, T::read(value)?)))
            .collect()
    }
    fn write(&self) -> Value {
        self.iter().map(|(key, value)| (key.clone(), value.write())).collect::<Map<_, _>>().into()
    }
}

/// A part of the protocol that this cloud reads but does not use.
impl ShapeMember for Value {
    fn read(value: Value) -> Result<Self, WrongType> {
        Ok(value)
    }
    fn write(&self) -> Value {
        self.clone()
    }
}

/// The members of a structure or a map.
pub fn structure(value: Value) -> Result<Map<String, Value>, WrongType> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(unexpected(&other, "a Structure")),
    }
}

/// Takes one member out, if it is present and not null.
pub fn take<T: ShapeMember>(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, WrongType> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::read(value).map(Some),
    }
}

/// Adds one member, if there is a value.
pub fn put<T: ShapeMember>(members: &mut Map<String, Value>, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.write());
    }
}

/// The structure without its null members, all the way down.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Declares structures of the protocol: each line is a member, its type, and its name on the wire.
/// Every member may be absent.
macro_rules! shapes {
    ($( $(#[$doc:meta])* $shape:ident { $( $member:ident: $kind:ty = $name:literal, )* } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $shape { $( pub $member: Option<$kind>, )* }

        impl $crate::wire::member::ShapeMember for $shape {
            fn read(value: serde_json::Value) -> Result<Self, $crate::wire::member::WrongType> {
                let mut members = $crate::wire::member::structure(value)?;
                Ok(Self { $( $member: $crate::wire::member::take(&mut members, $name)?, )* })
            }
            fn write(&self) -> serde_json::Value {
                let mut members = serde_json::Map::new();
                $( $crate::wire::member::put(&mut members, $name, self.$member.as_ref()); )*
                members.into()
            }
        }
    )* };
}
pub(crate) use shapes;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    shapes! {
        Pair { name: String = "name", count: i32 = "count", }
        Outer { pairs: Vec<Pair> = "pairs", on: bool = "on", map: BTreeMap<String, String> = "map", }
    }

    #[test]
    fn a_null_is_absent_and_an_unknown_member_is_ignored() {
        let outer = Outer::read(json!({
            "pairs": [{"name": "a", "count": null, "colour": 3}, null], "on": null, "map": {"k": "v"},
        }))
        .expect("right types");
        assert_eq!(outer.write(), json!({"pairs": [{"name": "a"}], "map": {"k": "v"}}));
    }

    #[test]
    fn a_wrong_type_says_what_was_found() {
        let said = |value| Outer::read(value).expect_err("a wrong type").0;
        assert_eq!(said(json!({"on": "yes"})), "STRING_VALUE can not be converted to a Boolean");
        assert_eq!(
            said(json!({"pairs": [{"name": 7}]})),
            "NUMBER_VALUE can not be converted to a String"
        );
        assert_eq!(
            said(json!({"pairs": [{"count": "3"}]})),
            "STRING_VALUE can not be converted to an Integer"
        );
        assert_eq!(
            said(json!({"pairs": [{"count": 1.5}]})),
            "DECIMAL_VALUE can not be converted to an Integer"
        );
        assert_eq!(
            said(json!({"pairs": [{"count": 3_000_000_000_u64}]})),
            "NUMBER_VALUE can not be converted to an Integer"
        );
        assert_eq!(said(json!({"pairs": [["a"]]})), "Start of list found where not expected");
        assert_eq!(said(json!({"on": {}})), "Start of structure or map found where not expected");
        assert_eq!(said(json!("x")), "STRING_VALUE can not be converted to a Structure");
    }
}
