//! Which types an event's field may have, and how each is shown to a sink.
//!
//! It masks and shortens nothing: that is for the sink, which knows its reader.

use std::borrow::Cow;
use std::net::SocketAddr;

use fargate_model::cause::FailureCause;
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::task::TaskStatus;
use tracing::field::{debug, display};

use crate::schema::FieldKind;

/// What a field holds, in the form that the operator's log writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(u64),
    /// True or false.
    Flag(bool),
}

/// A type of a field. What it gives to `tracing` and to any other sink is the same.
pub(crate) trait EventField {
    const KIND: FieldKind;
    const IS_OPTIONAL: bool = false;

    /// The value; `None` for a field that is absent.
    fn value(&self) -> Option<FieldValue<'_>>;

    /// The value for `tracing`, which records nothing for a field that is absent.
    fn as_tracing(&self) -> impl tracing::Value + '_;

    /// Whether a serialised event leaves the field out.
    fn is_absent(&self) -> bool {
        self.value().is_none()
    }
}

impl<T: EventField> EventField for Option<T> {
    const KIND: FieldKind = T::KIND;
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> Option<FieldValue<'_>> {
        self.as_ref().and_then(T::value)
    }

    fn as_tracing(&self) -> impl tracing::Value + '_ {
        self.as_ref().map(T::as_tracing)
    }
}

impl EventField for String {
    const KIND: FieldKind = FieldKind::Text;

    fn value(&self) -> Option<FieldValue<'_>> {
        Some(FieldValue::Text(self.as_str().into()))
    }

    fn as_tracing(&self) -> impl tracing::Value + '_ {
        self.as_str()
    }
}

impl EventField for FailureCause {
    const KIND: FieldKind = FieldKind::Cause;

    fn value(&self) -> Option<FieldValue<'_>> {
        Some(FieldValue::Text(self.entry().slug.into()))
    }

    fn as_tracing(&self) -> impl tracing::Value + '_ {
        self.entry().slug
    }
}

impl EventField for f64 {
    const KIND: FieldKind = FieldKind::Decimal;

    fn value(&self) -> Option<FieldValue<'_>> {
        Some(FieldValue::Text(format!("{self:?}").into()))
    }

    fn as_tracing(&self) -> impl tracing::Value + '_ {
        debug(self)
    }
}

impl EventField for bool {
    const KIND: FieldKind = FieldKind::Flag;

    fn value(&self) -> Option<FieldValue<'_>> {
        Some(FieldValue::Flag(*self))
    }

    fn as_tracing(&self) -> impl tracing::Value + '_ {
        *self
    }
}

/// Types that are shown as their `Display` writes them.
macro_rules! displayed {
    ($($type:ty: $kind:ident),+) => {$(
        impl EventField for $type {
            const KIND: FieldKind = FieldKind::$kind;

            fn value(&self) -> Option<FieldValue<'_>> {
                Some(FieldValue::Text(self.to_string().into()))
            }

            fn as_tracing(&self) -> impl tracing::Value + '_ {
                display(self)
            }
        }
    )+};
}

displayed!(TaskArn: Id, RandomToken: Id, TaskStatus: Status, SocketAddr: Address);

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl EventField for $type {
            const KIND: FieldKind = FieldKind::Number;

            fn value(&self) -> Option<FieldValue<'_>> {
                // A number that is too large for the log is no reason to fail.
                Some(FieldValue::Number(u64::try_from(*self).unwrap_or(u64::MAX)))
            }

            fn as_tracing(&self) -> impl tracing::Value + '_ {
                *self
            }
        }
    )+};
}

numbers!(u8, u32, u64, usize);
