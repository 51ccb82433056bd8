//! Runs all checks on what was read and puts the report together. How it is shown or kept is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_config::DefinitionSource;
use fargate_status_answers::{CheckLine, CheckOutcome, ChecksAnswer, EgressAddress};

use crate::account_view::AccountView;
use crate::check_catalogue::{CATALOGUE, CheckInput};
use crate::checks::{gitlab, image};
use crate::job_needs::JobNeeds;
use crate::network::egress_addresses;

/// Most consequences in the sentence above a report. Ours: the lines below say all.
const MAX_CONSEQUENCES: usize = 3;

/// What a report as a whole says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Nothing fails and everything is known.
    Ready,
    /// A check fails.
    Failed,
    /// Nothing fails, and something is not known.
    CouldNotTell,
}

/// The images of fixed task definitions, by the definition's name in the configuration and the container.
pub type DefinitionImages = BTreeMap<(String, String), String>;

/// One run over one account: what AWS was seen to have, and what the checks say of it.
#[derive(Clone, Debug, Default)]
pub struct CheckedAccount {
    /// The lines, in the order of the catalogue.
    pub lines: Vec<CheckLine>,
    /// What the failures mean for a job.
    pub consequences: Vec<String>,
    /// The addresses from which jobs leave.
    pub egress: Vec<EgressAddress>,
    /// Whom nobody asked, with the flag that asks: a sentence each. It changes no outcome.
    pub not_asked: Vec<&'static str>,
    /// The images of fixed task definitions.
    pub definition_images: DefinitionImages,
}

/// Runs all checks on what was read.
#[must_use]
pub fn check_account(needs: &JobNeeds, view: &AccountView) -> CheckedAccount {
    let input = CheckInput { needs, view };
    let mut checked = CheckedAccount {
        egress: egress_addresses(needs, view),
        not_asked: [gitlab::not_asked(needs), image::not_asked(needs)]
            .into_iter()
            .flatten()
            .collect(),
        definition_images: definition_images(needs, view),
        ..CheckedAccount::default()
    };
    for entry in CATALOGUE {
        for finding in (entry.judge)(input) {
            checked.lines.push(entry.line(&finding));
            if finding.is_fail() {
                checked.consequences.extend(finding.consequence);
            }
        }
    }
    checked
}

fn definition_images(needs: &JobNeeds, view: &AccountView) -> DefinitionImages {
    let mut found = DefinitionImages::new();
    for (at, profile) in needs.profiles.iter().enumerate() {
        let DefinitionSource::Fixed(name) = profile.definition() else { continue };
        let facts = view.cluster.usable_definition(at);
        for one in facts.into_iter().flat_map(|facts| &facts.container_images) {
            found.insert((name.to_owned(), one.container.clone()), one.image.clone());
        }
    }
    found
}

/// The report over one or more accounts.
#[must_use]
pub fn report_of(accounts: Vec<CheckedAccount>, took: Duration) -> ChecksAnswer {
    let mut report = CheckedAccount::default();
    for account in accounts {
        report.lines.extend(account.lines);
        report.consequences.extend(account.consequences);
        report.egress.extend(account.egress);
        // Each account was asked in the same way.
        let news = account.not_asked.into_iter().filter(|it| !report.not_asked.contains(it));
        let news: Vec<&'static str> = news.collect();
        report.not_asked.extend(news);
    }
    // Stable, so that lines of one outcome stay in the order of the catalogue.
    report.lines.sort_by_key(|line| place_of(line.outcome));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut answer = vec![sentence(&report.lines, &report.consequences)];
    answer.extend(report.not_asked.iter().map(|one| (*one).to_owned()));
    ChecksAnswer {
        answer: answer.join(" "),
        needs_action: verdict_of(&report.lines) == CheckVerdict::Failed,
        checked_ms: Some(millis(now)),
        took_ms: Some(millis(took)),
        egress: report.egress,
        checks: report.lines,
        ..ChecksAnswer::default()
    }
}

/// What these lines say together.
#[must_use]
pub fn verdict_of(lines: &[CheckLine]) -> CheckVerdict {
    let any = |outcome| lines.iter().any(|line| line.outcome == outcome);
    if any(CheckOutcome::Fail) {
        CheckVerdict::Failed
    } else if any(CheckOutcome::Unknown) || lines.is_empty() {
        CheckVerdict::CouldNotTell
    } else {
        CheckVerdict::Ready
    }
}

fn place_of(outcome: CheckOutcome) -> u8 {
    match outcome {
        CheckOutcome::Fail => 0,
        CheckOutcome::Unknown => 1,
        CheckOutcome::Warn => 2,
        CheckOutcome::Pass => 3,
    }
}

/// Ready or not, in one sentence.
fn sentence(lines: &[CheckLine], consequences: &[String]) -> String {
    let ids = |outcome: Option<CheckOutcome>| {
        let fitting = lines.iter().filter(|line| outcome.is_none_or(|it| line.outcome == it));
        fitting.map(|line| line.id.as_str()).collect::<BTreeSet<_>>().len()
    };
    let (all, failed) = (ids(None), ids(Some(CheckOutcome::Fail)));
    let unknown = ids(Some(CheckOutcome::Unknown));
    match (failed, unknown) {
        (0, 0) if all == 0 => "Nothing was checked.".to_owned(),
        (0, 0) => format!("All {all} checks pass: a job finds what it needs."),
        (0, _) => format!("No check fails, and {unknown} of {all} could not tell."),
        (1, _) => format!("1 of {all} checks fails: {}.", listed(consequences)),
        _ => format!("{failed} of {all} checks fail: {}.", listed(consequences)),
    }
}

fn listed(consequences: &[String]) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for one in consequences {
        if !unique.contains(&one.as_str()) {
            unique.push(one);
        }
    }
    let more = unique.len().saturating_sub(MAX_CONSEQUENCES);
    unique.truncate(MAX_CONSEQUENCES);
    let more = (more > 0).then(|| format!("{more} more"));
    let mut parts: Vec<String> = unique.into_iter().map(str::to_owned).chain(more).collect();
    match parts.pop() {
        None => String::new(),
        Some(only) if parts.is_empty() => only,
        Some(last) => format!("{}, and {last}", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, outcome: CheckOutcome) -> CheckLine {
        CheckLine { id: id.to_owned(), outcome, ..CheckLine::default() }
    }

    #[test]
    fn the_sentence_counts_checks_and_says_what_failures_mean() {
        use CheckOutcome::{Fail, Pass, Unknown, Warn};
        let lines = [
            line("a", Fail),
            line("a", Fail),
            line("b", Pass),
            line("c", Unknown),
            line("d", Warn),
        ];
        let out = "tasks in eu-west-1c have no way out".to_owned();
        let said = sentence(&lines, &[out.clone(), out]);
        assert_eq!(said, "1 of 4 checks fails: tasks in eu-west-1c have no way out.");
        assert_eq!(sentence(&lines[2..], &[]), "No check fails, and 1 of 3 could not tell.");
        assert_eq!(sentence(&lines[2..3], &[]), "All 1 checks pass: a job finds what it needs.");
        let four: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        assert_eq!(listed(&four), "a, b, c, and 1 more");
    }

    #[test]
    fn unknown_is_never_ready() {
        use CheckOutcome::{Fail, Pass, Unknown};
        let of = |outcomes: &[CheckOutcome]| {
            verdict_of(&outcomes.iter().map(|it| line("a", *it)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[Pass]), CheckVerdict::Ready);
        assert_eq!(of(&[Pass, Unknown]), CheckVerdict::CouldNotTell);
        assert_eq!(of(&[Pass, Unknown, Fail]), CheckVerdict::Failed);
        assert_eq!(of(&[]), CheckVerdict::CouldNotTell);
    }

    #[test]
    fn a_report_begins_with_what_fails() {
        use CheckOutcome::{Fail, Pass, Unknown, Warn};
        let lines = vec![line("a", Pass), line("b", Warn), line("c", Unknown), line("d", Fail)];
        let checked = CheckedAccount { lines, ..CheckedAccount::default() };
        let report = report_of(vec![checked], Duration::from_millis(2100));
        let ids: Vec<_> = report.checks.iter().map(|line| line.id.as_str()).collect();
        assert_eq!((ids.as_slice(), report.needs_action), (["d", "c", "b", "a"].as_slice(), true));
        assert_eq!(report.took_ms, Some(2100));
    }

    #[test]
    fn a_report_in_which_all_passes_says_whom_it_did_not_ask() {
        let one = || CheckedAccount {
            lines: vec![line("a", CheckOutcome::Pass)],
            not_asked: vec!["GitLab was not asked: give --gitlab-url."],
            ..CheckedAccount::default()
        };
        let report = report_of(vec![one(), one()], Duration::ZERO);
        assert_eq!(
            report.answer,
            "All 1 checks pass: a job finds what it needs. GitLab was not asked: give --gitlab-url."
        );
        assert_eq!(verdict_of(&report.checks), CheckVerdict::Ready);
    }
}
