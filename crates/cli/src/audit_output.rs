//! What `jobs audit` prints: for people, as JSON, as TSV. An entry is printed whole; it holds no secret.

use fargate_history::AuditRecord;
use fargate_model::moment::rfc3339_seconds;
use fargate_model::text::escape;
use fargate_terminal::{TableColumn, stdout_size, table_lines};
use serde_json::Value;

use crate::output_args::ListFormat;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::new("TIME"),
    TableColumn::new("WHO"),
    TableColumn::new("ACTION"),
    TableColumn::new("JOB"),
    TableColumn::new("PROJECT"),
    TableColumn::new("REF").dropped(0),
    TableColumn::new("RESULT").dropped(1),
];

/// Prints entries piece by piece, so that a log of years needs no memory.
pub struct AuditPrinter {
    format: ListFormat,
    is_begun: bool,
    rows: Vec<Vec<String>>,
}

impl AuditPrinter {
    pub fn new(format: ListFormat) -> Self {
        Self { format, is_begun: false, rows: Vec::new() }
    }

    /// The text of these entries, without its last line end.
    pub fn some(&mut self, records: &[AuditRecord]) -> Option<String> {
        if records.is_empty() {
            return None;
        }
        let json = |record: &AuditRecord| serde_json::to_string(record).unwrap_or_default();
        let lines: Vec<String> = match self.format {
            // Its columns are as wide as the widest cell.
            ListFormat::Table => {
                self.rows.extend(records.iter().map(row));
                return None;
            }
            ListFormat::Tsv => records.iter().map(|record| row(record).join("\t")).collect(),
            ListFormat::Ndjson => records.iter().map(json).collect(),
            ListFormat::Json => {
                let begin = if self.is_begun { "," } else { "{\"entries\":[" };
                self.is_begun = true;
                let all: Vec<String> = records.iter().map(json).collect();
                return Some(format!("{begin}{}", all.join(",\n")));
            }
        };
        Some(lines.join("\n"))
    }

    /// What ends the document.
    pub fn end(self) -> Option<String> {
        match (self.format, self.is_begun) {
            (ListFormat::Table, _) if self.rows.is_empty() => None,
            (ListFormat::Table, _) => {
                let width = stdout_size().map(|size| size.columns);
                Some(table_lines(&COLUMNS, &self.rows, width).join("\n"))
            }
            (ListFormat::Json, true) => Some("]}".to_owned()),
            (ListFormat::Json, false) => Some("{\"entries\":[]}".to_owned()),
            (ListFormat::Tsv | ListFormat::Ndjson, _) => None,
        }
    }
}

fn row(record: &AuditRecord) -> Vec<String> {
    let entry = &record.entry;
    let detail = |name: &str| entry.details.get(name).and_then(Value::as_str).unwrap_or("-");
    let result = ["verdict", "cause", "task"].into_iter().map(detail).find(|text| *text != "-");
    let who = if entry.who.is_empty() { "-" } else { &entry.who };
    let cells = [
        &rfc3339_seconds(entry.at_ms),
        who,
        &entry.action,
        match detail("id") {
            "-" => &entry.object,
            id => id,
        },
        detail("project"),
        detail("ref"),
        result.unwrap_or("-"),
    ];
    cells.iter().map(|cell| escape(cell)).collect()
}
