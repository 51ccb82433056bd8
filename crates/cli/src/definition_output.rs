//! What `task-definition` prints: as a table, as JSON, as TSV.

use std::time::SystemTime;

use fargate_model::text::{duration, escape};
use fargate_task_definition::{
    DefinitionComparison, DefinitionRevision, ListedRevision, PrunedRevision, RegisteredDefinition,
    RevisionOrigin,
};
use fargate_terminal::{TableColumn, table_lines};
use serde_json::{Value, json};

const LIST: [TableColumn; 6] = [
    TableColumn::new("REVISION"),
    TableColumn::new("STATUS"),
    TableColumn::new("AGE").dropped(1),
    TableColumn::new("USED HERE").dropped(0),
    TableColumn::new("CURRENT"),
    TableColumn::new("IMAGE"),
];

const PRUNE: [TableColumn; 4] = [
    TableColumn::new("REVISION"),
    TableColumn::new("AGE").dropped(0),
    TableColumn::new("RESULT"),
    TableColumn::new("WHY"),
];

/// A document for people and programs.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// One document.
pub fn registered_json(registered: &RegisteredDefinition) -> String {
    let origin = match registered.origin {
        RevisionOrigin::Registered => "registered",
        RevisionOrigin::Found => "found",
        RevisionOrigin::Known => "known",
    };
    pretty(&json!({ "task_definition": registered.arn, "origin": origin }))
}

/// One line for each difference; empty where there is none.
pub fn difference_lines(compared: &DefinitionComparison) -> String {
    let lines: Vec<String> =
        compared.differences.iter().map(|difference| escape(&difference.to_string())).collect();
    lines.join("\n")
}

/// One document. Values are texts with JSON in them, cut where they are long.
pub fn difference_json(compared: &DefinitionComparison) -> String {
    let differences: Vec<Value> = compared
        .differences
        .iter()
        .map(|one| json!({ "member": one.member, "before": one.before, "now": one.now }))
        .collect();
    pretty(&json!({ "revision": compared.revision, "differences": differences }))
}

/// One line for each difference: member, value before, value now.
pub fn difference_tsv(compared: &DefinitionComparison) -> String {
    tsv(compared.differences.iter().map(|one| {
        let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        vec![one.member.clone(), or_dash(&one.before), or_dash(&one.now)]
    }))
}

/// For a terminal; empty where there is no revision.
pub fn list_table(listed: &[ListedRevision], width: Option<usize>) -> String {
    table(&LIST, listed.iter().map(list_row).collect(), width)
}

/// One line for each revision.
pub fn list_tsv(listed: &[ListedRevision]) -> String {
    tsv(listed.iter().map(list_row))
}

/// One document.
pub fn list_json(listed: &[ListedRevision]) -> String {
    let revisions: Vec<Value> = listed
        .iter()
        .map(|one| {
            let mut document = revision_json(&one.revision);
            document["current"] = one.is_current.into();
            document["last_used_here_unix_s"] = seconds(one.last_used).into();
            document
        })
        .collect();
    pretty(&json!({ "revisions": revisions }))
}

fn list_row(listed: &ListedRevision) -> Vec<String> {
    let ListedRevision { revision, is_current, last_used } = listed;
    vec![
        revision.name(),
        revision.status.to_string(),
        age(revision.registered),
        last_used.map_or_else(|| "-".to_owned(), |_| format!("{} ago", age(*last_used))),
        if *is_current { "yes" } else { "no" }.to_owned(),
        revision.images.join(", "),
    ]
}

/// For a terminal; empty where there is no revision.
pub fn prune_table(pruned: &[PrunedRevision], dry_run: bool, width: Option<usize>) -> String {
    table(&PRUNE, pruned.iter().map(|one| prune_row(one, dry_run)).collect(), width)
}

/// One line for each revision.
pub fn prune_tsv(pruned: &[PrunedRevision], dry_run: bool) -> String {
    tsv(pruned.iter().map(|one| prune_row(one, dry_run)))
}

/// One document.
pub fn prune_json(pruned: &[PrunedRevision], dry_run: bool) -> String {
    let revisions: Vec<Value> = pruned
        .iter()
        .map(|one| {
            let mut document = revision_json(&one.revision);
            document["result"] = result(one, dry_run).into();
            document["reason"] = one.verdict.to_string().into();
            document["error"] = one.refused.clone().into();
            document
        })
        .collect();
    pretty(&json!({ "dry_run": dry_run, "revisions": revisions }))
}

fn prune_row(pruned: &PrunedRevision, dry_run: bool) -> Vec<String> {
    let why = pruned.refused.clone().unwrap_or_else(|| pruned.verdict.to_string());
    vec![
        pruned.revision.name(),
        age(pruned.revision.registered),
        result(pruned, dry_run).to_owned(),
        why,
    ]
}

/// One word for what became of a revision. Programs read it, so it is never renamed.
fn result(pruned: &PrunedRevision, dry_run: bool) -> &'static str {
    match (&pruned.refused, pruned.verdict.removes()) {
        (Some(_), _) => "not-removed",
        (None, false) => "stays",
        (None, true) if dry_run => "would-remove",
        (None, true) => "removed",
    }
}

fn revision_json(revision: &DefinitionRevision) -> Value {
    json!({
        "revision": revision.name(),
        "task_definition": revision.arn,
        "status": revision.status.to_string(),
        "content": revision.content,
        "registered_unix_s": seconds(revision.registered),
        "images": revision.images,
    })
}

fn seconds(time: Option<SystemTime>) -> Option<u64> {
    Some(time?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
}

fn age(time: Option<SystemTime>) -> String {
    let age = time.and_then(|time| time.elapsed().ok());
    age.map_or_else(|| "-".to_owned(), duration)
}

fn table(columns: &[TableColumn], rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let safe = |row: &Vec<String>| row.iter().map(|cell| escape(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(safe).collect();
    table_lines(columns, &rows, width).join("\n")
}

fn tsv(rows: impl Iterator<Item = Vec<String>>) -> String {
    let line =
        |row: Vec<String>| row.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join("\t");
    rows.map(line).collect::<Vec<_>>().join("\n")
}
