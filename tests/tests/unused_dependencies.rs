//! Every dependency that a `Cargo.toml` of this workspace names is used by the sources beside it.
//!
//! It looks for the crate's name in code, in any line that is no comment. It does not know features.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fargate_tests::files_below;
use regex::Regex;
use toml::{Table, Value};

/// Dependencies that no source names: the folder of the crate, the dependency, and why it is there.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];
/// Folders of code that only tests and benches are built from.
const TEST_FOLDERS: [&str; 3] = ["tests", "benches", "examples"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// The folder of every crate.
fn members() -> Vec<PathBuf> {
    let crates = fs::read_dir(workspace().join("crates")).expect("the folder of the crates");
    let crates = crates.map(|entry| entry.expect("a crate").path());
    crates.chain([workspace().join("tests")]).filter(|f| f.join("Cargo.toml").is_file()).collect()
}

fn manifest(folder: &Path) -> Table {
    let text = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    text.parse().expect("TOML")
}

/// The code in these folders and files of a crate, without its comments.
fn code(member: &Path, places: &[&str]) -> String {
    let mut code = String::new();
    for place in places {
        let place = member.join(place);
        let files = if place.is_file() { vec![place] } else { files_below(&place) };
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
            let text = fs::read_to_string(file).expect("a source");
            code.extend(
                text.lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .flat_map(|line| [line, "\n"]),
            );
        }
    }
    code
}

/// The dependencies of one section, for every platform.
fn dependencies(manifest: &Table, section: &str) -> Vec<String> {
    let names = |table: &Table| {
        let section = table.get(section).and_then(Value::as_table);
        section.into_iter().flat_map(Table::keys).cloned().collect::<Vec<_>>()
    };
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let platforms = platforms.filter_map(|(_, table)| table.as_table()).flat_map(&names);
    names(manifest).into_iter().chain(platforms).collect()
}

fn is_named(code: &str, dependency: &str) -> bool {
    let name = format!(r"\b{}\b", dependency.replace('-', "_"));
    Regex::new(&name).expect("a pattern").is_match(code)
}

#[test]
fn each_dependency_of_each_crate_is_used() {
    let mut unused = BTreeSet::new();
    for member in members() {
        let manifest = manifest(&member);
        let own = code(&member, &["src"]);
        let all = own.clone() + &code(&member, &TEST_FOLDERS);
        let folder = member.file_name().expect("a name").to_string_lossy().into_owned();
        for (section, code) in [
            ("dependencies", &own),
            ("dev-dependencies", &all),
            ("build-dependencies", &self::code(&member, &["build.rs"])),
        ] {
            let names = dependencies(&manifest, section);
            let names = names.into_iter().filter(|name| !is_named(code, name));
            unused.extend(names.map(|name| (folder.clone(), name)));
        }
    }
    let excepted: BTreeSet<_> =
        EXCEPTIONS.iter().map(|(member, name, _)| (member.to_string(), name.to_string())).collect();
    assert_eq!(
        unused, excepted,
        "no source names these: remove them, or move them to another section"
    );
}

#[test]
fn each_dependency_of_the_workspace_is_used_by_a_crate() {
    let workspace = manifest(&workspace());
    let all = workspace["workspace"]["dependencies"].as_table().expect("a table");
    let mut unused: BTreeSet<_> = all.keys().cloned().collect();
    for member in members() {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in dependencies(&manifest(&member), section) {
                unused.remove(&name);
            }
        }
    }
    assert!(unused.is_empty(), "no crate names these: {unused:?}");
}
