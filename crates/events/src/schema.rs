//! What an event is called, how important it is and which fields it has: the part of an event that is
//! the same each time it occurs.

use tracing::Level;

/// How important an event is, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventLevel {
    /// A job failed, or somebody may attack it.
    Error,
    /// Something is wrong; a job may fail because of it.
    Warn,
    /// A step that an operator wants to see.
    Info,
    /// A step that only a search for a fault needs.
    Debug,
}

impl EventLevel {
    /// The word in the log, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// The same level in the words of `tracing`.
    #[must_use]
    pub const fn as_tracing(self) -> Level {
        match self {
            Self::Error => Level::ERROR,
            Self::Warn => Level::WARN,
            Self::Info => Level::INFO,
            Self::Debug => Level::DEBUG,
        }
    }
}

/// What kind of value a field holds, and so how it is serialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A text.
    Text,
    /// The name of something of ours: a task, a launch. A sink never masks it.
    Id,
    /// The slug of an entry of the catalogue of causes.
    Cause,
    /// The state of a task, in the word of ECS.
    Status,
    /// An IP address and a port, as a text.
    Address,
    /// A whole number from 0.
    Number,
    /// A number with a fraction. The operator's log writes it as a text.
    Decimal,
    /// True or false.
    Flag,
}

/// One field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSchema {
    /// Its name in the log and in a serialised event.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether an event may come without it.
    pub is_optional: bool,
}

/// What is the same each time an event occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSchema {
    /// `noun.verb`. A name is never used again for another event.
    pub name: &'static str,
    /// It rises when a field goes, changes its kind or its meaning, and not when an optional field is
    /// added.
    pub version: u32,
    /// How important it is.
    pub level: EventLevel,
    /// What the code already knows of the words for people; `None` where they are a field or there are
    /// none.
    pub fixed_message: Option<&'static str>,
    /// When it occurs, as one or more sentences.
    pub meaning: &'static str,
    /// Its fields, in the order of the code.
    pub fields: &'static [FieldSchema],
}

impl EventSchema {
    /// The names of its fields in the operator's log, with a question mark where one may be absent.
    pub fn field_names(&self) -> impl Iterator<Item = String> {
        let mark = |field: &FieldSchema| if field.is_optional { "?" } else { "" };
        let fields = self.fields.iter().map(move |field| format!("{}{}", field.name, mark(field)));
        fields.chain(self.fixed_message.map(|_| "message".to_owned()))
    }
}
