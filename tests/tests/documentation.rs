//! The documents name tests, types, keys and pages. This holds that each of them exists.
//!
//! It reads files only. It does not judge whether a text is right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

/// The documents of the project, by their path from its root.
const PAGES: [&str; 13] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/ARCHITECTURE.md",
    "docs/EFS.md",
    "docs/FAULTS.md",
    "docs/GLOSSARY.md",
    "docs/LIMITS.md",
    "docs/LOGGING.md",
    "docs/LONG_JOBS.md",
    "docs/OPERATIONS.md",
    "docs/PROMISES.md",
    "images/README.md",
];

/// A name of this many parts is a test's name; a shorter one may be a key or a figure.
const LEAST_PARTS: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member has a parent").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust sources of the workspace, each with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut folders = vec![root().join("crates"), root().join("tests")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(root()).expect("below the root");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    found
}

/// What the expression's first group finds in the text.
fn all(expression: &str, text: &str) -> Vec<String> {
    let expression = Regex::new(expression).expect("a regular expression");
    expression.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The texts between backticks in the rows of a page's tables.
fn quoted_in_rows(page: &str) -> Vec<String> {
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    all("`([^`]+)`", &rows.join("\n"))
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut functions = BTreeSet::new();
    let mut places = BTreeSet::new();
    for (path, text) in sources() {
        functions.extend(all(r"\bfn (\w+)", &text));
        functions.extend(all(r"\bmod (\w+)", &text));
        let parts = path.trim_end_matches(".rs").split('/');
        places.extend(parts.map(str::to_owned));
    }
    let mut wrong = Vec::new();
    for page in ["docs/PROMISES.md", "docs/FAULTS.md", "docs/LIMITS.md"] {
        for quoted in quoted_in_rows(&read(page)) {
            let (place, name) = match quoted.split_once(": ") {
                Some((place, name)) => (Some(place), name),
                None => (None, quoted.as_str()),
            };
            let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if let Some(place) = place.filter(|place| is_word(place))
                && !places.contains(place)
            {
                wrong.push(format!("{page}: `{quoted}`: there is no folder or file `{place}`"));
            }
            let start = name.trim_end_matches("...");
            if !is_word(start) || start.split('_').count() < LEAST_PARTS {
                continue;
            }
            let known = if start.len() < name.len() {
                functions.iter().any(|function| function.starts_with(start))
            } else {
                functions.contains(start)
            };
            if !known && !start.chars().any(char::is_uppercase) {
                wrong.push(format!("{page}: there is no test `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of files, folders, modules and functions below this folder.
fn names_below(sources: &[(String, String)], folder: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut code = String::new();
    for (path, text) in sources {
        let Some(below) = path.strip_prefix(folder) else { continue };
        names.extend(below.trim_end_matches(".rs").split('/').map(str::to_owned));
        code += text;
    }
    names.extend(all(r"\b(?:fn|mod) (\w+)", &code));
    names
}

/// The last cells of the rows of all tables whose last column is "held by".
fn held_by(page: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut is_held = false;
    for line in page.lines() {
        let Some(last) = line.trim_end().trim_end_matches('|').rsplit('|').next() else { continue };
        match line.starts_with('|') {
            false => is_held = false,
            true if last.trim() == "held by" => is_held = true,
            true if is_held => cells.push(last.trim().to_owned()),
            true => {}
        }
    }
    cells
}

/// Short names: ``state `record` ``, a module or a test of that crate; `` `torture` ``, a folder or file of
/// tests; `` `task_start` (masked_secrets) ``, a file of that folder.
#[test]
fn every_place_that_a_row_names_as_its_holder_exists() {
    let sources = sources();
    let tests = names_below(&sources, "tests/");
    let nothing = BTreeSet::new();
    let crates: BTreeMap<String, BTreeSet<String>> = std::fs::read_dir(root().join("crates"))
        .expect("the crates")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .map(|name| (name.clone(), names_below(&sources, &format!("crates/{name}/"))))
        .collect();
    let named = Regex::new(r"(?:([a-z-]+) )?`([^`]+)`(?: \(([a-z_]+(?:, [a-z_]+)*)\))?");
    let named = named.expect("a regular expression");
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in ["docs/PROMISES.md", "docs/FAULTS.md"] {
        for cell in held_by(&read(page)) {
            // A name without a word before it may belong to the crate that was named before.
            let mut of_crate = &nothing;
            for found in named.captures_iter(&cell) {
                let word = found.get(1).map_or("", |word| word.as_str());
                let place = found[2].split(": ").next().unwrap_or_default();
                let is_crate = crates.contains_key(word);
                of_crate = crates.get(word).unwrap_or(of_crate);
                let inside = found.get(3).map_or("", |inside| inside.as_str()).split(", ");
                let inside = inside.filter(|name| !name.is_empty() && *name != "shortened");
                let is_short =
                    |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                let places = place.split("::").filter(|name| word != "bench" && is_short(name));
                for name in places.chain(inside) {
                    checked += 1;
                    if !of_crate.contains(name) && (is_crate || !tests.contains(name)) {
                        wrong.push(format!("{page}: {word} `{place}`: there is no `{name}`"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "the tables were not found: {checked} names");
}

#[test]
fn every_figure_that_a_page_names_is_measured() {
    let benches: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("tests/benches/"))
        .map(|(_, text)| text)
        .collect();
    let benches = benches.join("\n");
    let mut wrong = Vec::new();
    for page in ["docs/PROMISES.md", "docs/FAULTS.md"] {
        for figure in all(r"bench `([a-z0-9-]+-[a-z0-9-]+)`", &read(page)) {
            // Some names are made of parts, such as the server's and the figure's.
            let parts = figure.split('-').filter(|part| part.len() > 3);
            let named =
                benches.contains(&figure) || parts.clone().all(|part| benches.contains(part));
            if !named {
                wrong.push(format!("{page}: no benchmark measures `{figure}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_type_of_the_glossary_exists() {
    let code: Vec<String> = sources().into_iter().map(|(_, text)| text).collect();
    let types: BTreeSet<String> =
        all(r"\b(?:struct|enum|trait|type) ([A-Z]\w*)", &code.join("\n")).into_iter().collect();
    let mut words = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in read("docs/GLOSSARY.md").lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [word, _, carriers] = cells[..] else { panic!("not three cells: {row}") };
        if word != "word" && !words.insert(word.to_owned()) {
            wrong.push(format!("`{word}` is explained twice"));
        }
        for carrier in all("`([^`]+)`", carriers) {
            let name = carrier.split("::").next().unwrap_or_default();
            if name.starts_with(char::is_uppercase) && !types.contains(name) {
                wrong.push(format!("`{word}` names `{carrier}`, which no code defines"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(words.len() > 20, "the table was not found");
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in PAGES.into_iter().chain(["docs/MIGRATION.md"]) {
        let text = read(page);
        let folder = Path::new(page).parent().expect("a path has a parent");
        for link in all(r"\]\(([^)\s]+)\)", &text) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { root().join(page) } else { root().join(folder).join(file) };
            if !target.exists() {
                wrong.push(format!("{page}: `{link}` leads to no file"));
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                wrong.push(format!("{page}: `{link}` leads to no heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The anchors of a page's headings, made as code hosts make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).expect("a page");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_key_that_a_page_names_is_in_the_reference() {
    let reference = read("crates/config/default-config.toml");
    let mut sections: BTreeSet<String> = BTreeSet::new();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    let mut section = String::new();
    for line in reference.lines() {
        let line = line.trim_start_matches('#');
        if let Some(name) = line.strip_prefix("[defaults.").and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.to_owned();
            sections.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}.{key}"));
        }
    }
    let mut wrong = Vec::new();
    for page in PAGES {
        for quoted in all(r"`([a-z]+\.[a-z_]+)`", &read(page)) {
            let section = quoted.split('.').next().unwrap_or_default();
            if sections.contains(section) && section != "tags" && !keys.contains(&quoted) {
                wrong.push(format!("{page}: `{quoted}` is no key of the reference"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sections.contains("timeouts"), "the sections were not found");
}

#[test]
fn every_invariant_and_fault_that_is_cited_is_defined() {
    let defined: BTreeSet<String> = all(r"(?m)^\| ([A-K]\d+) ", &read("docs/FAULTS.md"))
        .into_iter()
        .chain(all(r"(?m)^### (I\d):", &read("docs/PROMISES.md")))
        .collect();
    let mut wrong = Vec::new();
    for page in PAGES {
        for cited in all(r"\(([A-K]\d{1,2})\)", &read(page)) {
            if !defined.contains(&cited) {
                wrong.push(format!("{page}: {cited} is not defined"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(defined.len() > 80, "the definitions were not found: {defined:?}");
}
