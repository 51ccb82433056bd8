//! The reference file against the program: its defaults, its limits, and every example in the docs.

mod common;

use std::path::Path;

use common::{ConfigDraft, read};
use fargate_config::{DefinitionSource, REFERENCE, RunnerConfig};

/// A paragraph of the reference: its prose and the settings below it.
struct ReferenceParagraph {
    table: String,
    prose: String,
    settings: Vec<(String, String)>,
}

/// A line as a person leaves it who removes the `#` before a key or a table.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || "[\"".contains(c)) => {
            rest
        }
        _ => line,
    }
}

fn paragraphs() -> Vec<ReferenceParagraph> {
    let mut table = String::new();
    let mut paragraphs = Vec::new();
    for block in REFERENCE.split("\n\n") {
        let mut paragraph =
            ReferenceParagraph { table: String::new(), prose: String::new(), settings: Vec::new() };
        for line in block.lines().map(uncommented) {
            if let Some(header) = line.strip_prefix('[') {
                table = header.trim_end_matches(']').to_owned();
            } else if let Some((key, value)) =
                line.split_once(" = ").filter(|_| !line.starts_with('#'))
            {
                paragraph.settings.push((key.to_owned(), value.to_owned()));
            } else {
                paragraph.prose.push_str(line.trim_start_matches('#'));
            }
        }
        paragraph.table.clone_from(&table);
        paragraphs.push(paragraph);
    }
    paragraphs
}

fn same(a: &RunnerConfig, b: &RunnerConfig) {
    assert_eq!(a.profile(None).unwrap(), b.profile(None).unwrap());
    assert_eq!((&a.owner, &a.state_dir), (&b.owner, &b.state_dir));
    assert_eq!((&a.log_file, a.log_level), (&b.log_file, b.log_level));
    assert_eq!(a.log_format, b.log_format);
    assert_eq!((&a.serve, &a.history, &a.prices), (&b.serve, &b.history, &b.prices));
    assert_eq!(a.notify, b.notify);
}

fn with_image(draft: ConfigDraft) -> ConfigDraft {
    draft.set("profile.own-image", "image", "\"ci\"")
}

fn with_volume(draft: ConfigDraft) -> ConfigDraft {
    draft.set("volume.cache", "file_system", "\"fs-0\"").set("volume.cache", "path", "\"/x\"")
}

fn with_managed_image(draft: ConfigDraft) -> ConfigDraft {
    [("repository", "\"a/b\""), ("context", "\"/b\""), ("manifest", "\"/b.json\"")]
        .into_iter()
        .fold(draft, |draft, (key, value)| draft.set("image.ci", key, value))
}

#[test]
fn every_default_in_the_reference_is_the_one_that_is_compiled_in() {
    let least = ConfigDraft::least().read().unwrap().config;
    let image = with_image(ConfigDraft::least()).read().unwrap().config;
    let managed = with_managed_image(ConfigDraft::least()).read().unwrap().config;
    let volume = with_volume(ConfigDraft::least()).read().unwrap().config;
    let mut compared = 0;
    for paragraph in paragraphs() {
        let has_default =
            !paragraph.prose.contains("No default") && !paragraph.prose.contains("REQUIRED");
        for (key, value) in paragraph.settings {
            let draft = match key.as_str() {
                "assume_role_external_id" | "assume_role_session_name" => {
                    let role = "\"arn:aws:iam::123456789012:role/ci\"";
                    ConfigDraft::least().set("defaults", "assume_role_arn", role)
                }
                _ => ConfigDraft::least(),
            };
            let draft = match paragraph.table.as_str() {
                "images" => with_image(draft),
                "volume.cache" => with_volume(draft),
                "image.ci" => with_managed_image(draft),
                // What belongs to an image is compared with the least that has one.
                "profile.own-image" => with_image(draft),
                _ => draft,
            };
            let config = draft.set(&paragraph.table, &key, &value).read();
            let config = config.unwrap_or_else(|problems| panic!("{problems}")).config;
            if paragraph.table == "volume.cache" {
                let changed = config.volumes().ne(volume.volumes());
                assert!(changed != has_default || paragraph.prose.contains("REQUIRED"), "{key}");
                compared += 1;
            } else if paragraph.table == "image.ci" {
                let changed = config.managed_images().ne(managed.managed_images());
                assert!(changed != has_default || paragraph.prose.contains("REQUIRED"), "{key}");
                compared += 1;
            } else if paragraph.table == "images" {
                assert_eq!(config.profiles_of_image("node:20"), ["own-image"]);
            } else if paragraph.table == "profile.own-image" {
                let name = Some("own-image");
                let changed = config.profile(name).unwrap() != image.profile(name).unwrap();
                assert!(changed != has_default || key == "image", "{key}");
                compared += 1;
            } else if has_default {
                same(&config, &least);
                compared += 1;
            } else if key != "team" && key != "capacity_provider_strategy" {
                let changed = config.profile(None).unwrap() != least.profile(None).unwrap()
                    || config.owner != least.owner
                    || config.log_file != least.log_file
                    || config.serve != least.serve
                    || config.history != least.history
                    || config.notify != least.notify
                    || config.prices != least.prices
                    || paragraph.prose.contains("REQUIRED");
                assert!(changed, "{key} has a default, the reference says that it has none");
            }
        }
    }
    assert!(compared >= 40, "only {compared} defaults were found in the reference");
}

#[test]
fn the_reference_with_every_line_in_use_is_a_file_that_passes() {
    let text: String = REFERENCE.lines().map(|line| uncommented(line).to_owned() + "\n").collect();
    let loaded = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.profile_names(), ["spot", "own-image"]);
    let image = loaded.config.profile(Some("own-image")).unwrap();
    assert!(matches!(image.definition(), DefinitionSource::Derived(_)), "{image:?}");
    assert_eq!(loaded.config.profile(Some("spot")).unwrap().tags["team"], "build");
}

#[test]
fn the_reference_passes_once_its_required_lines_are_in_use() {
    let mut required = false;
    let text: String = REFERENCE
        .lines()
        .map(|line| {
            required = line.contains("REQUIRED.") || (required && line.starts_with("# "));
            let starts = line.starts_with('#') && !line.starts_with("# ");
            let marked = ["cluster", "subnets", "security_groups", "task_definition"];
            let own = starts && marked.iter().any(|key| line[1..].starts_with(&format!("{key} =")));
            if own { format!("{}\n", &line[1..]) } else { format!("{line}\n") }
        })
        .collect();
    assert_eq!(REFERENCE.matches("# REQUIRED.").count(), 9);
    read(&text).unwrap_or_else(|problems| panic!("{problems}")).config.profile(None).unwrap();
}

#[test]
fn every_limit_in_the_reference_is_the_one_that_is_compiled_in() {
    let limited = |paragraph: &ReferenceParagraph| {
        ["defaults.timeouts", "defaults.limits"].contains(&paragraph.table.as_str())
            || paragraph.settings.iter().any(|(key, _)| key == "keepalive_tries")
            || paragraph.settings.iter().any(|(key, _)| key == "rekey_after_mib")
    };
    let mut compared = 0;
    for paragraph in paragraphs().into_iter().filter(limited) {
        for (key, value) in &paragraph.settings {
            let beyond = if value.starts_with('"') { "\"999days\"" } else { "999999" };
            let draft = ConfigDraft::least().set(&paragraph.table, key, beyond);
            let said = draft.read().expect_err(key).to_string();
            let limits = said.rsplit_once("allowed is ").or(said.rsplit_once("a number from "));
            let limits = limits.expect(&said).1.trim_end_matches(" is expected");
            assert!(paragraph.prose.contains(limits), "{key}: {limits} is not in its comment");
            compared += 1;
        }
    }
    assert_eq!(compared, 43);
}

#[test]
fn the_reference_fits_a_terminal() {
    for line in REFERENCE.lines() {
        assert!(line.chars().count() <= 105, "{line}");
    }
}

/// What every file needs, for examples that show an image alone.
const LEAST: &str = "config_version = 1\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\n\
    subnets = [\"subnet-0a1b2c3d4e5f60718\"]\nsecurity_groups = [\"sg-0a1b2c3d4e5f60718\"]\n\
    task_definition = \"ci\"\n";

/// Every block of TOML in a page that is a configuration, in our grammar or in that of GitLab's
/// driver.
fn examples_in(markdown: &str) -> Vec<String> {
    let ours = |text: &String| text.trim_start().starts_with("config_version");
    let theirs = |text: &String| text.lines().any(|line| line.trim() == "[Fargate]");
    blocks_in(markdown).into_iter().filter(|text| ours(text) || theirs(text)).collect()
}

/// Every block that begins with an image, below what every file needs.
fn image_examples_in(markdown: &str) -> Vec<String> {
    let blocks = blocks_in(markdown).into_iter();
    let images = blocks.filter(|text| text.trim_start().starts_with("[image."));
    images.map(|text| format!("{LEAST}{text}")).collect()
}

fn blocks_in(markdown: &str) -> Vec<String> {
    let mut examples = Vec::new();
    let mut block: Option<String> = None;
    for line in markdown.lines() {
        let fence = line.trim();
        match &mut block {
            None if fence == "```toml" => block = Some(String::new()),
            None => {}
            Some(text) if fence == "```" => {
                examples.push(std::mem::take(text));
                block = None;
            }
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    examples
}

#[test]
fn every_example_in_the_docs_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    if let Ok(folder) = std::fs::read_dir(root.join("docs")) {
        pages.extend(folder.map(|entry| entry.unwrap().path()));
    }
    pages.push(root.join("images/README.md"));
    pages.retain(|page| page.extension().is_some_and(|e| e == "md") && page.is_file());
    let mut with_image = Vec::new();
    for page in pages {
        let markdown = std::fs::read_to_string(&page).unwrap();
        let images = image_examples_in(&markdown);
        if !images.is_empty() {
            with_image.push(page.file_name().unwrap().to_owned());
        }
        for example in examples_in(&markdown).into_iter().chain(images) {
            let shown = page.display();
            let loaded = read(&example);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{shown}: {problems}\n{example}"));
            assert_eq!(loaded.warnings, [], "{shown}");
        }
    }
    with_image.sort();
    assert_eq!(with_image, ["IMAGES.md", "OPERATIONS.md", "README.md"]);
}

#[test]
fn examples_are_the_blocks_of_toml_in_one_of_the_grammars() {
    let page = "a\n```toml\nconfig_version = 1\n[defaults]\n```\nb\n```toml\n[other]\n```\n\
                ```sh\nconfig_version\n```\n  ```toml\n  config_version = 2\n  ```\n\
                ```toml\nLogLevel = \"\"\n [Fargate]\n```\n";
    assert_eq!(
        examples_in(page),
        [
            "config_version = 1\n[defaults]\n",
            "  config_version = 2\n",
            "LogLevel = \"\"\n [Fargate]\n",
        ]
    );
}
