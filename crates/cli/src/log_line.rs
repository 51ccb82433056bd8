//! How one line of the operator's log is written: as JSON, or for people.
//!
//! The fields are the same in every format; docs/LOGGING.md names them. Every text of a line is made
//! harmless and cut here, where it is written, whoever brought it.

use fargate_config::LogFormat;
use fargate_model::moment::rfc3339_millis;
use fargate_model::text::escape_within;
use serde_json::{Map, Value};

/// Fields that a line for people has in a place of their own.
const PLACED: [&str; 3] = ["time", "level", "message"];

/// Where a line goes, as far as it changes the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineDestination {
    /// A file or a terminal.
    Plain,
    /// journald, which has time and level of its own and shows no colours.
    Journal,
}

/// Longest text of a field, in characters; what is longer is cut in the middle.
const LONGEST: usize = 4000;

/// One line, without its end.
pub fn write(fields: &Map<String, Value>, format: LogFormat, reader: LineDestination) -> String {
    let fields = &clean(fields);
    let colour = format == LogFormat::Text && reader == LineDestination::Plain;
    match format {
        LogFormat::Json => Value::Object(fields.clone()).to_string(),
        LogFormat::Text | LogFormat::TextSimple => for_people(fields, colour, reader),
    }
}

/// The same fields with texts that move no cursor and end no line.
fn clean(fields: &Map<String, Value>) -> Map<String, Value> {
    let clean = |value: &Value| match value {
        Value::String(text) => escape_within(text, LONGEST).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(_) | Value::Object(_) => escape_within(&value.to_string(), LONGEST).into(),
    };
    fields.iter().map(|(name, value)| (name.clone(), clean(value))).collect()
}

/// `TIME LEVEL MESSAGE KEY=VALUE ...`. Without a message the event stands in its place.
fn for_people(fields: &Map<String, Value>, colour: bool, reader: LineDestination) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let level = text("level");
    let (begin, end) = match colour {
        true => (colour_of(level), "\x1b[0m"),
        false => ("", ""),
    };
    let mut parts = Vec::new();
    if reader == LineDestination::Plain {
        parts.push(time(fields));
        parts.push(format!("{begin}{level}{end}"));
    }
    let message = if text("message").is_empty() { text("event") } else { text("message") };
    parts.push(message.to_owned());
    for (name, value) in fields.iter().filter(|(name, _)| !PLACED.contains(&name.as_str())) {
        parts.push(format!("{begin}{name}{end}={}", plain(value)));
    }
    parts.join(" ")
}

/// Source: logrus, `text_formatter.go`, whose colours GitLab's driver forces.
fn colour_of(level: &str) -> &'static str {
    match level {
        "error" => "\x1b[31m",
        "warn" => "\x1b[33m",
        "info" => "\x1b[36m",
        _ => "\x1b[37m",
    }
}

fn time(fields: &Map<String, Value>) -> String {
    let ms = fields.get("time").and_then(Value::as_u64).unwrap_or_default();
    rfc3339_millis(ms)
}

/// A value, in quotes where it has spaces or marks of its own.
fn plain(value: &Value) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    let bare = |c: char| c.is_ascii_alphanumeric() || "-._/@^+:".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(fields: &Value, format: LogFormat, reader: LineDestination) -> String {
        write(fields.as_object().unwrap(), format, reader)
    }

    #[test]
    fn a_line_reads_as_time_level_message_and_fields() {
        let fields = json!({
            "time": 1_700_000_000_123_u64, "level": "info", "message": "the task runs",
            "event": "task.running", "job": "gl-4411", "exit": 3, "said": "no \"room\"\n\u{1b}[2J",
            "empty": "",
        });
        insta::assert_snapshot!(shown(&fields, LogFormat::TextSimple, LineDestination::Plain), @r#"2023-11-14T22:13:20.123Z info the task runs empty="" event=task.running exit=3 job=gl-4411 said="no \"room\"\x0a\x1b[2J""#);
        insta::assert_snapshot!(shown(&fields, LogFormat::Text, LineDestination::Journal), @r#"the task runs empty="" event=task.running exit=3 job=gl-4411 said="no \"room\"\x0a\x1b[2J""#);
        let coloured = shown(&fields, LogFormat::Text, LineDestination::Plain);
        assert!(coloured.starts_with("2023-11-14T22:13:20.123Z \x1b[36minfo\x1b[0m the task runs"));
        let simple = coloured.replace("\x1b[36m", "").replace("\x1b[0m", "");
        assert_eq!(simple, shown(&fields, LogFormat::TextSimple, LineDestination::Plain));
        assert!(
            shown(&fields, LogFormat::Json, LineDestination::Plain).starts_with("{\"empty\":\"\"")
        );
    }

    #[test]
    fn without_a_message_the_event_stands_in_its_place_and_each_level_has_its_colour() {
        for (level, colour) in [("error", 31), ("warn", 33), ("info", 36), ("debug", 37)] {
            let fields = json!({ "time": 0, "level": level, "event": "task.accepted" });
            let line = shown(&fields, LogFormat::Text, LineDestination::Plain);
            let start =
                format!("1970-01-01T00:00:00.000Z \x1b[{colour}m{level}\x1b[0m task.accepted");
            assert!(line.starts_with(&start), "{line:?}");
        }
    }
}
