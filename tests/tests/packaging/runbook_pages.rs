//! Each cause has a page in docs/runbook, whose head is what the catalogue says. `UPDATE_RUNBOOK=1` writes
//! the heads anew; what stands below them is written by people.

use std::collections::BTreeSet;
use std::process::Command;

use fargate_model::cause::{FailureCause, ResponsibleParty, RetryDecision};
use fargate_tests::runner;
use regex::Regex;

use crate::root;

/// The headings that each page has below its head.
const PARTS: [&str; 3] = ["## What it means\n", "## Steps\n", "## When to page somebody\n"];

#[test]
fn each_cause_has_one_page_that_says_what_the_catalogue_says() {
    let folder = root().join("docs/runbook");
    let is_update = std::env::var_os("UPDATE_RUNBOOK").is_some();
    let (mut known, mut wrong) = (BTreeSet::new(), Vec::new());
    for &cause in FailureCause::ALL {
        let (slug, head) = (cause.entry().slug, head(cause));
        known.insert(format!("{slug}.md"));
        let path = folder.join(format!("{slug}.md"));
        let Ok(page) = std::fs::read_to_string(&path) else {
            wrong.push(format!("docs/runbook/{slug}.md does not exist"));
            continue;
        };
        let below = page.find(PARTS[0]).map_or("", |at| &page[at..]);
        if is_update {
            std::fs::write(&path, format!("{head}\n{below}")).expect("a page to write");
        } else if page != format!("{head}\n{below}") {
            wrong.push(format!("the head of {slug}.md is old; UPDATE_RUNBOOK=1 writes it anew"));
        }
        if let Some(part) = PARTS.iter().find(|part| !has_words(below, part)) {
            wrong.push(format!("{slug}.md says nothing below `{}`", part.trim()));
        }
    }
    let pages = std::fs::read_dir(&folder).expect("the pages");
    let names = pages.map(|page| page.expect("a page").file_name().to_string_lossy().into_owned());
    wrong.extend(
        names.filter(|name| !known.contains(name)).map(|name| format!("{name} is of no cause")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_command_of_the_pages_is_one_of_the_program() {
    let words = Regex::new("fargate-runner((?: [a-z][a-z-]+)+)").expect("an expression");
    let mut commands = BTreeSet::new();
    for &cause in FailureCause::ALL {
        let path = root().join(format!("docs/runbook/{}.md", cause.entry().slug));
        let page = std::fs::read_to_string(path).expect("a page");
        // Only what stands in a line of code is a command.
        let code = page.lines().flat_map(|line| match line.strip_prefix("    ") {
            Some(code) => vec![code],
            None => line.split('`').skip(1).step_by(2).collect(),
        });
        for code in code {
            commands.extend(words.captures_iter(code).map(|found| found[1].trim().to_owned()));
        }
    }
    assert!(commands.len() > 8, "the commands were not found: {commands:?}");
    for command in commands {
        let help = Command::new(runner()).args(command.split(' ')).arg("--help").output();
        let help = help.expect("the program");
        let said = String::from_utf8_lossy(&help.stderr).into_owned();
        assert!(help.status.success(), "fargate-runner {command}: {said}");
    }
}

fn has_words(text: &str, part: &str) -> bool {
    let Some((_, after)) = text.split_once(part) else { return false };
    let own = after.split("\n## ").next().unwrap_or_default();
    own.split_whitespace().count() > 2 || own.starts_with("1. ")
}

/// What the catalogue says of a cause.
fn head(cause: FailureCause) -> String {
    let entry = cause.entry();
    let plain =
        |wordings: &[&str]| wordings.last().map_or(String::new(), |last| (*last).to_owned());
    let slug = entry.slug;
    let (class, who, next) = (entry.class, who(entry.who), next(entry.next));
    let mut head = format!(
        "# {slug}\n**{}.** Class `{class}`. {who} {next}\n\n",
        first_upper(&plain(entry.headline))
    );
    if !entry.action.is_empty() {
        head.push_str(&format!("**What to do:** {}.\n\n", plain(entry.action)));
    }
    head.push_str(&format!(
        "Which jobs: the page `/history?cause={slug}`. How many: `fargate_runner_jobs_total{{reason=\"{slug}\"}}`.\n"
    ));
    let commands: Vec<String> = entry.command.iter().map(|command| names(command)).collect();
    if !commands.is_empty() {
        head.push_str(
            "The job's log and page show the command for the job; it is one of these:\n\n",
        );
        commands.iter().for_each(|command| head.push_str(&format!("    {command}\n")));
    }
    head
}

fn who(who: ResponsibleParty) -> &'static str {
    match who {
        ResponsibleParty::Job => "The job's author can mend it.",
        ResponsibleParty::Setup => "Whoever runs the CI platform can mend it.",
        ResponsibleParty::Aws => "It is with AWS.",
        ResponsibleParty::Runner => "Fargate Runner did it.",
        ResponsibleParty::Person => "A person did it.",
        ResponsibleParty::Nobody => "Nobody knows who can mend it.",
    }
}

fn next(next: RetryDecision) -> &'static str {
    match next {
        RetryDecision::Wait => "Jobs wait and try again until their deadline.",
        RetryDecision::Retry => "Fargate Runner tries again a few times.",
        RetryDecision::Final => "Fargate Runner does not try again.",
    }
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Facts as names in capitals: `{subnet}` is `SUBNET`.
fn names(command: &str) -> String {
    let fact = Regex::new(r"\{([a-z_]+)\}").expect("an expression");
    fact.replace_all(command, |found: &regex::Captures| found[1].to_uppercase()).into_owned()
}
