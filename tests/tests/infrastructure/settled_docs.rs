//! After a success on AWS, `make aws-acceptance WRITE_DOCS=1` changes each sentence of the docs that waited for it. Here
//! that is done with copies of the docs, so a sentence that somebody words otherwise is found before it costs a run.

use std::fs;
use std::path::Path;
use std::process::Command;

use fargate_tests::python;
use serde_json::{Value, json};

use crate::root;

/// Settles the docs below a folder for what was seen, and tells the rows, what was changed and what was not found.
const SETTLE: &str = "
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
import facts
folder, known = pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
rows = [{'file': row.file, 'facts': row.facts, 'settled': row.is_settled((folder / row.file).read_text()),
         'pending': len(row.found((folder / row.file).read_text()))} for row in facts.PENDING_ROWS]
sheet = facts.FactSheet('AWS')
sys.stdout = sys.stderr
for fact in {fact for row in facts.PENDING_ROWS for fact in row.facts}:
    (sheet.seen if known is None or fact in known else sheet.unseen)(fact, 'in a test')
changed, missing = facts.settle_docs(folder, sheet)
sys.stdout = sys.__stdout__
print(json.dumps({'rows': rows, 'changed': changed, 'missing': missing, 'day': sheet.day}))
";

/// Sentences that wait for more than `make aws-acceptance` does, by their beginning.
const STAY: [&str; 1] = ["Pending until it was seen on real ECR:"];

/// How a sentence begins or ends that waits for a real account.
const WAITING: [&str; 4] = [
    "pending until it was seen",
    "until it was seen on a real account",
    "on AWS yet",
    "real account yet",
];

/// The pages that may have such a sentence, by their path from the root.
fn pages() -> Vec<String> {
    let docs = fs::read_dir(root().join("docs")).expect("the docs");
    let names = docs.map(|entry| entry.expect("an entry").file_name());
    let mut pages: Vec<String> = names
        .map(|name| format!("docs/{}", name.to_string_lossy()))
        .filter(|page| Path::new(page).extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push("infrastructure/README.md".to_owned());
    pages.sort();
    pages
}

/// A folder with copies of the pages.
fn copied_docs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["docs", "infrastructure"] {
        fs::create_dir(folder.path().join(part)).expect("a folder");
    }
    for page in pages() {
        fs::copy(root().join(&page), folder.path().join(&page)).expect("a copy");
    }
    folder
}

/// The pages as one text each, with a blank for each row of blanks.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let read = |page: &String| fs::read_to_string(folder.join(page)).expect("a page");
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    pages().iter().map(|page| (page.clone(), one_line(read(page)))).collect()
}

fn settle(python: &Path, folder: &Path, known: &Value) -> Value {
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", SETTLE]);
    command.arg(root().join("infrastructure/acceptance")).arg(folder).arg(known.to_string());
    let output = command.output().expect("python was installed");
    let words = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {words}"))
}

#[test]
fn a_success_on_aws_settles_every_sentence_of_the_docs_that_waits_for_it() {
    let Some(python) = python() else { return };
    let folder = copied_docs();
    let before = texts(folder.path());
    let settled = settle(&python, folder.path(), &Value::Null);
    assert_eq!(settled["missing"], json!([]), "these sentences were worded otherwise");
    let mut expected = 0;
    for row in settled["rows"].as_array().expect("rows") {
        // Whoever has an account may have settled it in the docs already.
        let stands = row["pending"] == 1 && row["settled"] == false;
        assert!(stands || (row["pending"] == 0 && row["settled"] == true), "{row}");
        expected += usize::from(stands);
    }
    let seen = format!("AWS, {}", settled["day"].as_str().expect("a day"));
    let count = |pages: &[(String, String)]| -> usize {
        pages.iter().map(|(_, text)| text.matches(&seen).count()).sum()
    };
    let after = texts(folder.path());
    assert_eq!(count(&after) - count(&before), expected, "each says when it was seen");
    let mut waiting = Vec::new();
    for (page, text) in &after {
        for words in WAITING {
            let lower = text.to_lowercase();
            waiting.extend(lower.match_indices(&words.to_lowercase()).filter_map(|(at, _)| {
                let rest = lower.get(at..).unwrap_or_default();
                let stays = STAY.iter().any(|start| rest.starts_with(&start.to_lowercase()));
                let told: String = rest.chars().take(80).collect();
                (!stays).then(|| format!("{page}: {told}"))
            }));
        }
    }
    assert!(waiting.is_empty(), "nothing settles these:\n{}", waiting.join("\n"));
    // Once more changes nothing, and is no error.
    let again = settle(&python, folder.path(), &Value::Null);
    assert_eq!((&again["changed"], &again["missing"]), (&json!([]), &json!([])));
}

#[test]
fn a_sentence_is_settled_only_if_all_that_it_needs_was_seen() {
    let Some(python) = python() else { return };
    for (known, changed) in [
        (json!([]), json!([])),
        // Without a manager host nobody has followed the ten steps.
        (json!(["job", "check-without-failure"]), json!(["docs/LIMITS.md"])),
        (json!(["stack"]), json!(["docs/LIMITS.md", "infrastructure/README.md"])),
    ] {
        let folder = copied_docs();
        let settled = settle(&python, folder.path(), &known);
        let rows = settled["rows"].as_array().expect("rows");
        if rows.iter().any(|row| row["settled"] == true) {
            return;
        }
        assert_eq!(settled["changed"], changed, "{known}");
    }
}

#[test]
fn a_sentence_that_is_worded_otherwise_is_named_and_one_with_other_line_breaks_is_found() {
    let Some(python) = python() else { return };
    let folder = copied_docs();
    let page = folder.path().join("docs/FIRST_JOB.md");
    let text = fs::read_to_string(&page).expect("a page");
    let sentence = "Nobody has done it on AWS yet.";
    if !text.contains(sentence) {
        // It is settled already.
        return;
    }
    fs::write(&page, text.replace(sentence, "Nobody has done\n  it on AWS\nyet.")).expect("a page");
    let settled = settle(&python, folder.path(), &Value::Null);
    assert_eq!(settled["missing"], json!([]));
    fs::write(&page, text.replace(sentence, "Nobody has tried it.")).expect("a page");
    let settled = settle(&python, folder.path(), &Value::Null);
    assert_eq!(settled["missing"], json!([format!("docs/FIRST_JOB.md: {sentence}")]));
}
