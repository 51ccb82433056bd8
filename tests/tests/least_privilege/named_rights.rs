//! Every right that the crate `aws` names for a call has a row in the catalogue, also where the local cloud does not
//! answer the call.
//!
//! The sources are read as text, up to their unit tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fargate_access_policy::catalogued_calls;

/// Calls that need no right.
const FREE: [&str; 1] = ["sts:GetCallerIdentity"];

/// All files of Rust in a folder and below.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// The texts of this source that have the form of an action: a service in lower case, and the name of a call.
fn named_actions(source: &str) -> Vec<&str> {
    let product = source.split("#[cfg(test)]").next().unwrap_or(source);
    let is_service = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_call = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let is_action = |text: &&str| match text.split_once(':') {
        // Keys of conditions have the same form.
        Some((service, name)) => service != "aws" && is_service(service) && is_call(name),
        None => false,
    };
    product.split('"').filter(is_action).collect()
}

#[test]
fn every_right_that_a_call_names_has_a_row_in_the_catalogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aws/src");
    let mut named = BTreeSet::new();
    for path in sources(&folder) {
        let text = fs::read_to_string(&path).expect("a source");
        named.extend(named_actions(&text).into_iter().map(str::to_owned));
    }
    assert!(named.len() > 30, "the form of these texts has changed: {named:?}");
    let rows: BTreeSet<&str> = catalogued_calls().map(|row| row.action).collect();
    let missing: Vec<&String> = named
        .iter()
        .filter(|action| !rows.contains(action.as_str()) && !FREE.contains(&action.as_str()))
        .collect();
    assert!(missing.is_empty(), "calls without a row in crates/access-policy: {missing:?}");
}
