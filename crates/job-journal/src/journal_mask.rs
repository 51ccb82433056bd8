//! Keeps secrets out of an entry before it is written. Our own names stay as they are, else nobody could
//! read the entry back.

use fargate_events::{FieldKind, JobEvent};
use fargate_mask::SharedMasker;
use serde_json::{Map, Value};

use crate::journal_entry::RawEntry;

/// Names of ours and words of AWS's closed lists. No job chooses them.
const OURS: [&str; 21] = [
    "fact",
    "name",
    "task",
    "launch",
    "cause",
    "status",
    "verdict",
    "stage",
    "id",
    "job",
    "key",
    "origin",
    "host",
    "owner",
    "region",
    "cluster",
    "folder",
    "request_id",
    "architecture",
    "stop_code",
    "proof",
];

/// Masks all texts of the entry but names of ours, and these wherever they stand.
pub(crate) fn mask(raw: &mut RawEntry, masker: &SharedMasker) {
    if let Some(Value::Object(event)) = &mut raw.event {
        let kinds = event.get("name").and_then(Value::as_str).map(text_fields).unwrap_or_default();
        let ids = ids(event);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for (name, value) in event.iter_mut() {
            if kinds.contains(&name.as_str()) && !OURS.contains(&name.as_str()) {
                mask_value(value, &ids, masker);
            }
        }
    }
    if let Some(fact) = &mut raw.fact {
        let mut found = Vec::new();
        collect_ids(fact, &mut found);
        let ids: Vec<&str> = found.iter().map(String::as_str).collect();
        // The fields of a description are of the job, also its name.
        let is_description = fact.get("fact").is_some_and(|kind| kind == "described");
        if let Value::Object(fields) = fact {
            for (name, value) in fields.iter_mut() {
                let is_own = OURS.contains(&name.as_str()) && (name != "name" || !is_description);
                if !is_own {
                    mask_value(value, &ids, masker);
                }
            }
        }
    }
}

/// The fields of this event that hold a text.
fn text_fields(event: &str) -> Vec<&'static str> {
    let schema = JobEvent::SCHEMAS.iter().find(|schema| schema.name == event);
    let fields = schema.map(|schema| schema.fields).unwrap_or_default();
    fields.iter().filter(|field| field.kind == FieldKind::Text).map(|field| field.name).collect()
}

fn ids(object: &Map<String, Value>) -> Vec<String> {
    let own = object.iter().filter(|(name, _)| OURS[2..].contains(&name.as_str()));
    own.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
}

/// The values of our own names, however deep they stand.
fn collect_ids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(ids(object));
            object.values().for_each(|value| collect_ids(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_ids(value, found)),
        _ => {}
    }
}

fn mask_value(value: &mut Value, ids: &[&str], masker: &SharedMasker) {
    match value {
        Value::String(text) => *text = masker.text_beside(text, ids).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| mask_value(value, ids, masker)),
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                if !OURS[2..].contains(&name.as_str()) {
                    mask_value(value, ids, masker);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
