//! One entry of a journal, and the line in which it stands: 8 hexadecimal digits of CRC-32, a blank, and
//! JSON. The checksum finds torn and changed lines. It is no proof against somebody who may write the file.

use fargate_events::{JobEvent, JobFact};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Longest line in bytes, with its end. In the place of an entry that is larger stands a mark. Ours: the largest report of a
/// cause has some dozens of quotes of 1 KiB.
pub const LONGEST_LINE: usize = 256 * 1024;

/// Bytes before the JSON.
const PREFIX: usize = 9;

/// What one process of a job told at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When: milliseconds since 1970, by the clock of the process's host.
    pub time_ms: u64,
    /// The try as the process knows it, from 1; 0: the last one.
    pub attempt: u32,
    /// What the process is: `config`, `prepare`, the name of a script, `cleanup`, `exec`, `reap`.
    pub stage: String,
    /// Its number at the operating system.
    pub pid: u32,
    /// What it told.
    pub content: JournalContent,
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum JournalContent {
    /// An event of the operator's log.
    Event(JobEvent),
    /// A fact for the history.
    Fact(JobFact),
    /// Something that another version wrote and this one does not know. It is kept as it is.
    Unknown(Value),
}

/// The form in JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct RawEntry {
    time_ms: u64,
    #[serde(rename = "try", default)]
    attempt: u32,
    stage: String,
    pid: u32,
    /// The version of the event's schema that the writer knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fact: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other: Option<Value>,
}

/// Removes what is not known: most facts know a part of their fields.
fn leave_out_absent(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(leave_out_absent);
    }
}

impl RawEntry {
    pub(crate) fn of(entry: &JournalEntry) -> serde_json::Result<Self> {
        let mut raw = Self {
            time_ms: entry.time_ms,
            attempt: entry.attempt,
            stage: entry.stage.clone(),
            pid: entry.pid,
            version: None,
            event: None,
            fact: None,
            other: None,
        };
        match &entry.content {
            JournalContent::Event(event) => {
                raw.version = Some(event.schema().version);
                raw.event = Some(serde_json::to_value(event)?);
            }
            JournalContent::Fact(fact) => {
                let mut fact = serde_json::to_value(fact)?;
                leave_out_absent(&mut fact);
                raw.fact = Some(fact);
            }
            JournalContent::Unknown(other) => raw.other = Some(other.clone()),
        }
        Ok(raw)
    }

    fn content(self) -> JournalContent {
        if let Some(event) = self.event {
            return match serde_json::from_value::<JobEvent>(event.clone()) {
                Ok(known) if self.version.unwrap_or(1) <= known.schema().version => {
                    JournalContent::Event(known)
                }
                _ => JournalContent::Unknown(event),
            };
        }
        if let Some(fact) = self.fact {
            let known = serde_json::from_value(fact.clone());
            return known.map_or(JournalContent::Unknown(fact), JournalContent::Fact);
        }
        JournalContent::Unknown(self.other.unwrap_or_default())
    }

    /// What stands in the place of an entry whose line would be `bytes` long: its name alone.
    pub(crate) fn mark_of_left_out(self, bytes: usize) -> Self {
        let name = |value: &Option<Value>, field: &str| {
            value.as_ref().and_then(|value| value.get(field)).cloned().unwrap_or_default()
        };
        let kind = match &self.event {
            Some(_) => name(&self.event, "name"),
            None => name(&self.fact, "fact"),
        };
        let other = Some(serde_json::json!({ "left_out": kind, "bytes": bytes }));
        Self { version: None, event: None, fact: None, other, ..self }
    }

    /// The line, with its end.
    pub(crate) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut line = format!("{:08x} ", crc32fast::hash(&json)).into_bytes();
        line.extend_from_slice(&json);
        line.push(b'\n');
        Ok(line)
    }
}

impl JournalEntry {
    /// The entry of a line without its end; `None` if the line is damaged.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let (prefix, json) = line.split_at_checked(PREFIX)?;
        let digits = std::str::from_utf8(prefix).ok()?.strip_suffix(' ')?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let checksum = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
        (checksum == crc32fast::hash(json)).then(|| serde_json::from_slice(json).ok())?
    }
}

impl Serialize for JournalEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawEntry::of(self).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JournalEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawEntry::deserialize(deserializer)?;
        if raw.event.is_some() && raw.fact.is_some() {
            return Err(D::Error::custom("an entry is an event or a fact, not both"));
        }
        Ok(Self {
            time_ms: raw.time_ms,
            attempt: raw.attempt,
            stage: raw.stage.clone(),
            pid: raw.pid,
            content: raw.content(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_that_is_read_back() {
        let entry = JournalEntry {
            time_ms: 1_796_083_200_000,
            attempt: 1,
            stage: "build_script".into(),
            pid: 77,
            content: JournalContent::Event(JobEvent::ScriptEnded { status: 3 }),
        };
        let line = RawEntry::of(&entry).unwrap().line().unwrap();
        let text = String::from_utf8(line).unwrap();
        insta::assert_snapshot!(text, @r#"1a7de2a0 {"time_ms":1796083200000,"try":1,"stage":"build_script","pid":77,"version":1,"event":{"name":"script.ended","status":3}}"#);
        assert_eq!(JournalEntry::of_line(text.trim_end().as_bytes()), Some(entry));
    }

    #[test]
    fn what_a_later_version_wrote_is_kept_and_not_believed() {
        for json in [
            r#"{"time_ms":1,"try":1,"stage":"run","pid":1,"event":{"name":"script.improved","x":[1]}}"#,
            r#"{"time_ms":1,"try":1,"stage":"run","pid":1,"version":99,"event":{"name":"script.ended","status":0}}"#,
            r#"{"time_ms":1,"try":1,"stage":"run","pid":1,"fact":{"fact":"moon_phase"}}"#,
            r#"{"time_ms":1,"try":1,"stage":"run","pid":1,"poem":"x"}"#,
        ] {
            let line = format!("{:08x} {json}", crc32fast::hash(json.as_bytes()));
            let entry = JournalEntry::of_line(line.as_bytes()).expect("a whole line");
            assert!(matches!(entry.content, JournalContent::Unknown(_)), "{json}");
        }
    }

    #[test]
    fn a_line_with_another_checksum_or_form_is_damaged() {
        let json =
            r#"{"time_ms":1,"try":1,"stage":"run","pid":1,"event":{"name":"script.started"}}"#;
        let crc = crc32fast::hash(json.as_bytes());
        assert!(JournalEntry::of_line(format!("{crc:08x} {json}").as_bytes()).is_some());
        for line in [
            format!("{:08x} {json}", crc ^ 1),
            format!("{crc:08X}  {json}"),
            format!("{crc:08x}{json}"),
            "0".into(),
            String::new(),
        ] {
            assert_eq!(JournalEntry::of_line(line.as_bytes()), None, "{line}");
        }
    }
}
