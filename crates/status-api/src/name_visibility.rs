//! Hides the names of private projects from callers who did not sign in.
//!
//! Every project is private unless the configuration lists it. Of a private one an answer keeps states,
//! times, sizes and ids, and a number instead of the name; whatever may hold a name, such as a branch, the
//! words of AWS or a link, is left out. A new field of an answer must be looked at here.

use std::collections::HashMap;
use std::sync::Mutex;

use fargate_config::project_matches;
use fargate_history::FailureRow;
use fargate_job_journal::JobStory;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_state::JobAdmission;
use fargate_status_answers::{
    CheckOutcome, ChecksAnswer, CostAnswer, HistoryAnswer, ImagesAnswer, JobAnswer,
    StartTimeAnswer, WhyAnswer,
};

use crate::LiveFacts;

/// Most projects that get a number of their own.
const MOST_NUMBERS: usize = 10_000;

/// Hides who holds new jobs and why, and the words of AWS, which name roles and accounts.
pub(crate) fn hide_host(admission: Option<&mut JobAdmission>, facts: &mut LiveFacts) {
    match admission {
        Some(JobAdmission::Held(hold)) => {
            hold.who = "an operator".to_owned();
            hold.note.clear();
        }
        Some(JobAdmission::Unreadable { what, .. }) => what.clear(),
        Some(JobAdmission::Open) | None => {}
    }
    facts.ecs_error = None;
}

/// Hides which images this configuration manages, and what somebody wrote of a version.
pub(crate) fn hide_images(answer: &mut ImagesAnswer) {
    let mut names: Vec<String> = Vec::new();
    let mut stand_in = |name: &mut String| {
        let known = names.iter().position(|known| known == name);
        let number = known.unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        });
        *name = format!("image {}", number + 1);
    };
    answer.channels.iter_mut().for_each(|row| stand_in(&mut row.name));
    for row in &mut answer.candidates {
        stand_in(&mut row.name);
        row.git = None;
        row.text.clear();
    }
    for row in &mut answer.drift {
        (row.text, row.command) = (row.class.clone(), None);
    }
    answer.registry_error = None;
    let grave = answer.drift.iter().filter(|row| row.severity != "info").count();
    answer.answer = match grave {
        0 => "No image needs somebody.".to_owned(),
        _ => "An image needs somebody.".to_owned(),
    };
}

/// Hides what checks found: names of the account, the network and their resources.
pub(crate) fn hide_checks(answer: &mut ChecksAnswer) {
    answer.egress.clear();
    answer.error = None;
    for line in &mut answer.checks {
        line.found.clear();
        (line.fix, line.command) = (None, None);
    }
    let failed = answer.checks.iter().filter(|it| it.outcome == CheckOutcome::Fail).count();
    if answer.checked_ms.is_some() {
        answer.answer = format!("{failed} of {} checks fail.", answer.checks.len());
    }
}

/// The name of a stage that the job chose itself; those of GitLab say nothing of it.
fn hide_stage(name: &mut String) {
    if name.starts_with("step_") && name != "step_script" {
        *name = "a step".to_owned();
    }
}

/// Which projects are public, and the numbers of the others.
#[derive(Debug, Default)]
pub struct NameVisibility {
    /// Patterns of public projects: `acme/*`.
    public: Vec<String>,
    numbers: Mutex<HashMap<String, usize>>,
}

impl NameVisibility {
    /// Only the projects of these patterns are public: `acme/web`, `acme/*`, `acme/**`.
    #[must_use]
    pub fn new(public: Vec<String>) -> Self {
        Self { public, numbers: Mutex::default() }
    }

    /// Whether everybody may see this name.
    pub(crate) fn is_public(&self, project: Option<&str>) -> bool {
        project.is_some_and(|project| {
            self.public.iter().any(|pattern| project_matches(pattern, project))
        })
    }

    /// `private project 3`, the same for as long as this process lives.
    fn stand_in(&self, project: &str) -> String {
        let mut numbers = self.numbers.lock().expect("no one panics while holding the numbers");
        let next = numbers.len() + 1;
        match numbers.get(project) {
            Some(number) => format!("private project {number}"),
            None if next <= MOST_NUMBERS => {
                numbers.insert(project.to_owned(), next);
                format!("private project {next}")
            }
            None => "private project".to_owned(),
        }
    }

    /// Hides names where the project is private, and says whether it is.
    fn hide_names(&self, project: &mut Option<String>, names: [&mut Option<String>; 2]) -> bool {
        if self.is_public(project.as_deref()) {
            return false;
        }
        *project = project.as_deref().map(|project| self.stand_in(project));
        for name in names {
            *name = None;
        }
        true
    }

    fn hide_list(&self, projects: &mut Vec<String>) {
        projects.retain(|project| self.is_public(Some(project)));
    }

    /// Hides names in stories, before anything is told of them.
    pub fn hide_stories(&self, stories: &mut [JobStory]) {
        for story in stories {
            let about = &mut story.description;
            if !self.hide_names(&mut about.project, [&mut about.name, &mut about.git_ref]) {
                continue;
            }
            for one in &mut story.tries {
                let reports = one.refusals.iter_mut().map(|(_, report)| report);
                let waits = one.waits.iter_mut().map(|(_, report)| report);
                reports.chain(waits).chain(&mut one.causes).for_each(without_facts);
                one.stages.iter_mut().for_each(|stage| hide_stage(&mut stage.name));
            }
        }
    }

    /// Hides names in failures, before anything is told of them.
    pub fn hide_failures(&self, failures: &mut [FailureRow]) {
        for row in failures {
            if self.hide_names(&mut row.project, [&mut None, &mut None]) {
                row.object = None;
                row.report.iter_mut().for_each(without_facts);
            }
        }
    }

    /// Hides names in a list of jobs.
    pub fn hide_history(&self, answer: &mut HistoryAnswer) {
        for row in &mut answer.rows {
            if self.hide_names(&mut row.project, [&mut row.name, &mut row.git_ref]) {
                row.headline = row.slug.as_deref().map(crate::assemble::headline_of);
                row.image = None;
            }
        }
        self.hide_list(&mut answer.projects);
        answer.images.clear();
    }

    /// Hides names in the answer of one job.
    pub fn hide_job(&self, answer: &mut JobAnswer) {
        if !self.hide_names(&mut answer.project, [&mut answer.name, &mut answer.git_ref]) {
            return;
        }
        let JobAnswer { sha, user, forge_url, console_url, image, image_digest, .. } = answer;
        for hidden in [sha, user, forge_url, console_url, image, image_digest] {
            *hidden = None;
        }
        answer.stages.iter_mut().for_each(|stage| hide_stage(&mut stage.name));
        answer.pipeline = None;
        answer.facts.clear();
        for event in &mut answer.events {
            event.text.clear();
        }
        for row in &mut answer.timeline {
            row.note = None;
            hide_stage(&mut row.label);
            row.failed = row.failed.take().map(|_| "failed".to_owned());
            row.marks.iter_mut().for_each(|(_, words)| {
                *words = words.split(' ').next().unwrap_or_default().to_owned();
            });
        }
        for one in &mut answer.tries {
            one.verdict = one.verdict.take().filter(|words| is_verdict(words));
        }
        answer.why.iter_mut().chain(&mut answer.then).for_each(hide_why);
        answer.answer = match (&answer.why, answer.verdict) {
            (Some(why), _) => format!("{}.", capital(&why.headline)),
            (None, Some(verdict)) => format!("{verdict:?}."),
            (None, None) => format!("{:?}.", answer.state),
        };
    }

    /// Hides names in the answer about starts.
    pub fn hide_start_time(&self, answer: &mut StartTimeAnswer) {
        self.hide_list(&mut answer.projects);
        answer.images.clear();
        for (at, row) in answer.by_image.iter_mut().enumerate() {
            row.image = format!("image {}", at + 1);
            row.digest = None;
        }
    }

    /// Hides names in the answer about costs.
    pub fn hide_cost(&self, answer: &mut CostAnswer) {
        if answer.by == "project" {
            for group in &mut answer.groups {
                if !self.is_public(Some(&group.name)) {
                    group.name = self.stand_in(&group.name);
                }
            }
        }
        if answer.by == "image" {
            for (at, group) in answer.groups.iter_mut().enumerate() {
                group.name = format!("image {}", at + 1);
            }
        }
    }
}

/// The same cause without what is known of the case.
fn without_facts(report: &mut CauseReport) {
    *report = CauseReport::new(report.cause);
}

/// The same cause without what is known of the case.
fn hide_why(why: &mut WhyAnswer) {
    let known = FailureCause::ALL.iter().find(|cause| cause.entry().slug == why.slug);
    match known {
        Some(cause) => *why = WhyAnswer::of(&CauseReport::new(*cause)),
        None => {
            why.evidence.clear();
            why.quotes.clear();
            (why.action, why.command) = (None, None);
        }
    }
}

fn is_verdict(words: &str) -> bool {
    ["passed", "failed", "system failure", "timed out", "cancelled"].contains(&words)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TryStory;
    use fargate_status_answers::{HistoryRow, JobDetail, JobEventLine};

    const SECRETS: [&str; 4] = ["acme/hidden", "secret-job", "secret-branch", "anna"];

    fn visibility() -> NameVisibility {
        NameVisibility::new(vec!["open/*".to_owned()])
    }

    fn assert_hidden(answer: &impl serde::Serialize) {
        let json = serde_json::to_string(answer).unwrap();
        for secret in SECRETS {
            assert!(!json.contains(secret), "{secret} is in {json}");
        }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn no_name_of_a_private_project_is_left_in_any_answer() {
        let report = CauseReport::new(FailureCause::ImageDenied)
            .with("image", "registry/acme/hidden:1")
            .quoting("ECS", "pull access denied for acme/hidden");
        let why = WhyAnswer::of(&report);
        let mut job = JobAnswer {
            answer: "secret-job of acme/hidden failed".to_owned(),
            project: text("acme/hidden"),
            name: text("secret-job"),
            git_ref: text("secret-branch"),
            user: text("anna"),
            forge_url: text("https://gitlab/acme/hidden/-/jobs/1"),
            why: Some(why.clone()),
            facts: vec![JobDetail { name: "started by".to_owned(), value: "anna".to_owned() }],
            events: vec![JobEventLine { text: "acme/hidden".to_owned(), ..Default::default() }],
            ..JobAnswer::default()
        };
        visibility().hide_job(&mut job);
        assert_hidden(&job);
        assert_eq!(job.project.as_deref(), Some("private project 1"));

        let mut story = JobStory::default();
        story.description.project = text("acme/hidden");
        story.description.name = text("secret-job");
        story.description.git_ref = text("secret-branch");
        let refusals = vec![(1, report.clone())];
        let causes = vec![report.clone()];
        story.tries = vec![TryStory { refusals, causes, ..TryStory::default() }];
        visibility().hide_stories(std::slice::from_mut(&mut story));
        assert_hidden(&story);

        let mut failure = FailureRow {
            slug: text("image-denied"),
            object: text("registry/acme/hidden:1"),
            key: "k".to_owned(),
            id: "gl-1".to_owned(),
            project: text("acme/hidden"),
            at_ms: 1,
            is_system: true,
            report: Some(report.clone()),
        };
        visibility().hide_failures(std::slice::from_mut(&mut failure));
        assert_hidden(&failure.report);
        assert_eq!(failure.object, None);
        assert_eq!(failure.project.as_deref(), Some("private project 1"));

        let row = HistoryRow {
            project: text("acme/hidden"),
            name: text("secret-job"),
            git_ref: text("secret-branch"),
            slug: text("image-denied"),
            headline: text("image acme/hidden is denied"),
            ..HistoryRow::default()
        };
        let projects = vec!["acme/hidden".to_owned(), "open/source".to_owned()];
        let mut list = HistoryAnswer { rows: vec![row], projects, ..HistoryAnswer::default() };
        visibility().hide_history(&mut list);
        assert_hidden(&list);
        assert_eq!(list.projects, ["open/source"]);
    }

    #[test]
    fn a_public_project_keeps_its_names() {
        let mut job =
            JobAnswer { project: text("open/source"), name: text("unit"), ..JobAnswer::default() };
        visibility().hide_job(&mut job);
        assert_eq!(job.name.as_deref(), Some("unit"));
    }

    #[test]
    fn a_private_project_has_the_same_number_everywhere() {
        let names = visibility();
        let shown: Vec<_> = ["a", "b", "a"].iter().map(|it| names.stand_in(it)).collect();
        assert_eq!(shown, ["private project 1", "private project 2", "private project 1"]);
    }
}
