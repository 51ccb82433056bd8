//! The table of events agrees with how events are serialised, with what a subscriber of `tracing`
//! hears of them, and with `docs/LOGGING.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fargate_events::{
    EventRecord, EventSchema, EventSink, FieldKind, FieldValue, JobEvent, TracingSink,
};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A value of this kind, as JSON.
fn sample(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Text => "some words".into(),
        FieldKind::Id => "0123456789abcdef0123456789abcdef".into(),
        FieldKind::Cause => "no-capacity".into(),
        FieldKind::Status => "RUNNING".into(),
        FieldKind::Address => "[2001:db8::1]:22".into(),
        FieldKind::Number => 7.into(),
        FieldKind::Decimal => 2.5.into(),
        FieldKind::Flag => true.into(),
    }
}

/// An event of this schema, as JSON, with or without its optional fields.
fn written(schema: &EventSchema, with_optional: bool) -> Value {
    let fields = schema.fields.iter().filter(|field| with_optional || !field.is_optional);
    let fields = fields.map(|field| (field.name.to_owned(), sample(field.kind)));
    let name = ("name".to_owned(), schema.name.into());
    Value::Object(fields.chain([name]).collect())
}

/// Every event, with all of its fields and with only those that it must have.
fn every_event() -> Vec<(&'static EventSchema, Value, JobEvent)> {
    let both = |schema| [(schema, written(schema, true)), (schema, written(schema, false))];
    let read = |(schema, json): (&'static EventSchema, Value)| {
        let event = serde_json::from_value(json.clone());
        (schema, json.clone(), event.unwrap_or_else(|error| panic!("{json}: {error}")))
    };
    JobEvent::SCHEMAS.iter().flat_map(both).map(read).collect()
}

#[test]
fn every_event_survives_being_written_and_read() {
    for (schema, json, event) in every_event() {
        assert_eq!(event.schema(), schema);
        assert_eq!(serde_json::to_value(&event).unwrap(), json);
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<JobEvent>(&text).unwrap(), event);
    }
}

#[test]
fn a_record_adds_the_time_and_the_version_of_its_event() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_796_083_200_000);
    for (schema, json, event) in every_event() {
        let record = EventRecord::new(time, event);
        let expected =
            json!({"version": schema.version, "time_ms": 1_796_083_200_000_u64, "event": json});
        assert_eq!(serde_json::to_value(&record).unwrap(), expected);
        assert_eq!(serde_json::from_value::<EventRecord>(expected).unwrap(), record);
    }
}

#[test]
fn an_event_without_a_field_that_it_must_have_is_not_read() {
    for schema in JobEvent::SCHEMAS {
        for field in schema.fields.iter().filter(|field| !field.is_optional) {
            let mut json = written(schema, true);
            json.as_object_mut().unwrap().remove(field.name);
            assert!(
                serde_json::from_value::<JobEvent>(json).is_err(),
                "{} {}",
                schema.name,
                field.name
            );
        }
    }
    assert!(serde_json::from_value::<JobEvent>(json!({"name": "job.unheard_of"})).is_err());
}

#[test]
fn a_field_is_of_one_kind_in_all_events() {
    let mut kinds = BTreeMap::new();
    for schema in JobEvent::SCHEMAS {
        let names: BTreeSet<&str> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), schema.fields.len(), "{}", schema.name);
        assert!(!names.contains("message") || schema.fixed_message.is_none(), "{}", schema.name);
        for field in schema.fields {
            let former = kinds.insert(field.name, field.kind).unwrap_or(field.kind);
            // A task's state in `task.status`, a script's exit status in `script.ended`.
            let is_known = field.name == "status";
            assert!(former == field.kind || is_known, "{} of {}", field.name, schema.name);
        }
    }
    let names: BTreeSet<&str> = JobEvent::SCHEMAS.iter().map(|schema| schema.name).collect();
    assert_eq!(names.len(), JobEvent::SCHEMAS.len());
}

/// What a sink sees of an event: its name, its level and its fields.
fn shown(event: &JobEvent) -> Map<String, Value> {
    let value = |value| match value {
        FieldValue::Text(text) => Value::from(text.into_owned()),
        FieldValue::Number(number) => number.into(),
        FieldValue::Flag(flag) => flag.into(),
    };
    let schema = event.schema();
    let own = event.fields().into_iter().map(|(name, field)| (name.to_owned(), value(field)));
    let given = [("event", schema.name), ("level", schema.level.as_str())];
    own.chain(given.map(|(name, text)| (name.to_owned(), text.into()))).collect()
}

#[test]
fn a_subscriber_of_tracing_hears_what_a_sink_sees() {
    for (_, _, event) in every_event() {
        let heard = HeardEvents::default();
        tracing::subscriber::with_default(heard.clone(), || TracingSink.take(&event));
        assert_eq!(*heard.0.lock().unwrap(), [shown(&event)]);
    }
}

/// Keeps every event, with its level.
#[derive(Clone, Default)]
struct HeardEvents(Arc<Mutex<Vec<Map<String, Value>>>>);

impl Subscriber for HeardEvents {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = HeardFields(Map::new());
        event.record(&mut fields);
        let level = event.metadata().level().as_str().to_lowercase();
        fields.0.insert("level".to_owned(), level.into());
        assert!(event.metadata().target().starts_with("fargate_"));
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct HeardFields(Map<String, Value>);

impl Visit for HeardFields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

/// Fields that every line may have, whatever its event.
const COMMON: [&str; 6] = ["time", "level", "event", "message", "attempt", "stage"];

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/LOGGING.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The rows of the page's tables of so many columns.
fn rows(page: &str, columns: usize) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.filter(|line| line.matches('|').count() == columns + 1).collect()
}

/// The row of an event in `docs/LOGGING.md`.
fn row(schema: &EventSchema) -> String {
    let fields: Vec<String> = schema.field_names().map(|name| format!("`{name}`")).collect();
    let meaning: Vec<&str> = schema.meaning.split_whitespace().collect();
    let (name, level) = (schema.name, schema.level.as_str());
    format!("| `{name}` | {level} | {} | {} |", fields.join(", "), meaning.join(" "))
        .replace("|  |", "| |")
}

#[test]
fn the_page_lists_every_event_as_it_is_and_no_other() {
    let page = page();
    let listed = rows(&page, 4);
    let rows: Vec<String> = JobEvent::SCHEMAS.iter().map(row).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !listed.contains(&row.as_str())).collect();
    assert!(missing.is_empty(), "docs/LOGGING.md lacks these lines:\n{missing:#?}");
    let unknown: Vec<&&str> =
        listed.iter().filter(|row| !rows.contains(&(**row).to_owned())).collect();
    assert!(unknown.is_empty(), "docs/LOGGING.md has lines of no event:\n{unknown:#?}");
    assert_eq!(listed.len(), rows.len(), "docs/LOGGING.md lists an event twice");
}

#[test]
fn the_page_says_what_each_field_holds() {
    let page = page();
    let cells = rows(&page, 2).into_iter().filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<&str> =
        cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`')).collect();
    let fields = JobEvent::SCHEMAS.iter().flat_map(|schema| schema.fields);
    let known: BTreeSet<&str> = fields.map(|field| field.name).chain(COMMON).collect();
    assert_eq!(listed, known, "fields in docs/LOGGING.md, and fields of events");
}
