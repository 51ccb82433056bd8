//! The lines of a report that a probe adds: one for the start of its task, and one for each step.

use std::net::IpAddr;
use std::time::Duration;

use fargate_model::text::{duration, escape_within};
use fargate_status_answers::{CheckLine, CheckOutcome, EgressAddress};

use super::plan::{ProbePlan, ProbeStep};
use super::probe_answer::{ProbeAnswer, probe_answers};
use crate::check_finding::CheckFinding;
use crate::check_run::CheckedAccount;

/// Longest words of a task in a line, in characters.
const LONGEST: usize = 200;

/// What became of the task of a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeRun {
    /// Time from the call to the agent's answer; `None` if the task never ran the script.
    pub started_in: Option<Duration>,
    /// The phases of the start with their lengths.
    pub phases: Vec<(String, Duration)>,
    /// Why the script did not run, or did not end: what happened, what to do, and a command.
    pub failure: Option<ProbeFailure>,
    /// What the script wrote to its standard output.
    pub output: Vec<u8>,
    /// What could not be stopped; it ends by itself.
    pub undone: Vec<String>,
}

/// Why a probe did not end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeFailure {
    /// What happened, in one line.
    pub headline: String,
    /// What to do.
    pub fix: Option<String>,
    /// A command to paste.
    pub command: Option<String>,
}

/// The lines of a probe. `egress` is from where jobs leave, as far as AWS told.
#[must_use]
pub fn probe_lines(plan: &ProbePlan, run: &ProbeRun, egress: &[EgressAddress]) -> CheckedAccount {
    let mut findings = vec![(&START, start(run))];
    for task in &run.undone {
        let words = format!("{}; it ends by itself", escape_within(task, LONGEST));
        findings.push((&END, CheckFinding::warn(words)));
    }
    // A task that never ran the script said nothing, and its start has failed already.
    if run.started_in.is_some() {
        if let Some(why) = &plan.no_registry {
            let words = format!("the registry was not tried: {}", escape_within(why, LONGEST));
            let fix =
                "see what the check of the task definition says; without `--profile`, name one";
            findings.push((&REGISTRY, CheckFinding::unknown(words).fix(fix)));
        }
        let answers = plan.steps.iter().zip(probe_answers(plan, &run.output));
        findings.extend(answers.map(|(step, answer)| judged(step, answer, egress)));
    }
    checked(findings)
}

/// The line of a probe for which no task was started, because of something on this host.
#[must_use]
pub fn probe_not_begun(why: &str, fix: Option<&str>) -> CheckedAccount {
    let words = format!("no task was started to look around: {}", escape_within(why, LONGEST));
    let finding = CheckFinding { fix: fix.map(str::to_owned), ..CheckFinding::unknown(words) };
    checked(vec![(&START, finding)])
}

fn checked(findings: Vec<(&ProbeCheck, CheckFinding)>) -> CheckedAccount {
    let mut checked = CheckedAccount::default();
    for (check, finding) in findings {
        checked.lines.push(check.line(&finding));
        checked
            .consequences
            .extend(finding.consequence.filter(|_| finding.outcome == CheckOutcome::Fail));
    }
    checked
}

/// A check that only a task can make. These are not in the catalogue, whose checks make no call.
struct ProbeCheck {
    id: &'static str,
    name: &'static str,
}

impl ProbeCheck {
    fn line(&self, finding: &CheckFinding) -> CheckLine {
        CheckLine {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            outcome: finding.outcome,
            found: finding.text(),
            fix: finding.fix.clone(),
            command: finding.command.clone(),
        }
    }
}

const START: ProbeCheck = ProbeCheck { id: "probe-start", name: "Start of a task" };
const END: ProbeCheck = ProbeCheck { id: "probe-end", name: "End of the task" };
const RESOLVE: ProbeCheck = ProbeCheck { id: "probe-dns", name: "Names, from a task" };
const ADDRESS: ProbeCheck = ProbeCheck { id: "probe-egress", name: "Address, from a task" };
const REGISTRY: ProbeCheck = ProbeCheck { id: "probe-registry", name: "Registry, from a task" };
const GITLAB: ProbeCheck = ProbeCheck { id: "probe-gitlab", name: "GitLab, from a task" };
const VOLUME: ProbeCheck = ProbeCheck { id: "probe-volume", name: "Volume, from a task" };

fn start(run: &ProbeRun) -> CheckFinding {
    if let Some(failure) = &run.failure {
        let consequence = match run.started_in {
            None => "a job does not start",
            Some(_) => "the probe did not end",
        };
        let mut finding =
            CheckFinding::fail(escape_within(&failure.headline, LONGEST), consequence);
        finding.fix.clone_from(&failure.fix);
        finding.command.clone_from(&failure.command);
        return finding;
    }
    let Some(all) = run.started_in else {
        return CheckFinding::unknown("the probe was ended before its task ran");
    };
    let phases: Vec<String> =
        run.phases.iter().map(|(name, took)| format!("{name} {}", duration(*took))).collect();
    CheckFinding::pass(format!("started in {}: {}", duration(all), phases.join(", ")))
}

fn judged(
    step: &ProbeStep,
    answer: Option<ProbeAnswer>,
    egress: &[EgressAddress],
) -> (&'static ProbeCheck, CheckFinding) {
    let (entry, what, consequence): (&ProbeCheck, &str, &str) = match step {
        ProbeStep::Resolve { host } => (&RESOLVE, host, "tasks do not find names"),
        ProbeStep::Address { url } => (&ADDRESS, url, "tasks do not reach the internet"),
        ProbeStep::Registry { url } => (&REGISTRY, url, "jobs do not reach the registry"),
        ProbeStep::GitLab { url } => (&GITLAB, url, "jobs do not reach GitLab"),
        ProbeStep::Volume { path } => (&VOLUME, path, "jobs cannot write to a volume"),
        ProbeStep::ReadOnlyVolume { path } => (&VOLUME, path, "jobs cannot read a volume"),
    };
    let finding = match answer {
        None => CheckFinding::unknown(format!("{what}: the task said nothing about it")),
        Some(ProbeAnswer::ToolMissing(tools)) => {
            let tools = escape_within(&tools, LONGEST);
            CheckFinding::unknown(format!("{what}: the image has no {tools}, so this is not known"))
                .fix(format!("add {tools} to the image, or use an image for tests that has it"))
        }
        Some(ProbeAnswer::Failed(why)) => {
            CheckFinding::fail(format!("{what}: {}", escape_within(&why, LONGEST)), consequence)
        }
        Some(ProbeAnswer::Fine(words)) if matches!(step, ProbeStep::Address { .. }) => {
            leaves_from(&words, egress)
        }
        Some(ProbeAnswer::Fine(words)) => {
            let words = escape_within(&words, LONGEST);
            let said = if words.is_empty() { String::new() } else { format!(": {words}") };
            CheckFinding::pass(format!("{what}{said}"))
        }
    };
    (entry, finding)
}

/// Whether the address is one that people would allow-list.
fn leaves_from(words: &str, egress: &[EgressAddress]) -> CheckFinding {
    let Ok(address) = words.trim().parse::<IpAddr>() else {
        let words = escape_within(words, LONGEST);
        return CheckFinding::unknown(format!(
            "the service answered {words:?}, which is no address"
        ));
    };
    let is_known = egress.iter().any(|it| it.address.parse() == Ok(address));
    if is_known || egress.is_empty() {
        return CheckFinding::pass(format!("the task leaves from {address}"));
    }
    let known: Vec<&str> = egress.iter().map(|it| it.address.as_str()).collect();
    CheckFinding::warn(format!(
        "the task leaves from {address}, and the NAT gateways have {}",
        known.join(", ")
    ))
    .fix(format!("allow-list {address} as well, or find out what forwards the task's packets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> ProbePlan {
        let registry = || "https://registry.example.com/v2/".to_owned();
        ProbePlan {
            steps: vec![
                ProbeStep::Resolve { host: "registry.example.com".to_owned() },
                ProbeStep::Address { url: "https://checkip.amazonaws.com".to_owned() },
                ProbeStep::Registry { url: registry() },
                ProbeStep::GitLab { url: "https://gitlab.example.com".to_owned() },
                ProbeStep::Volume { path: "/cache".to_owned() },
                ProbeStep::ReadOnlyVolume { path: "/data".to_owned() },
            ],
            no_registry: None,
        }
    }

    /// The lines about steps, each as its outcome, its id and its text.
    fn told(plan: &ProbePlan, results: &[(&str, &str)]) -> Vec<String> {
        let output: String = results
            .iter()
            .enumerate()
            .map(|(number, (result, words))| format!("probe\t{number}\t{result}\t{words}\n"))
            .collect();
        let run = ProbeRun {
            started_in: Some(Duration::from_secs(40)),
            output: output.into_bytes(),
            ..ProbeRun::default()
        };
        let checked = probe_lines(plan, &run, &[]);
        let lines = checked.lines.iter().skip(1);
        lines.map(|line| format!("{:?} {}: {}", line.outcome, line.id, line.found)).collect()
    }

    #[test]
    fn each_step_that_worked_passes_in_the_check_that_is_for_it() {
        let results = [
            ("ok", "10.0.0.1"),
            ("ok", "203.0.113.9"),
            ("ok", "HTTP 401"),
            ("ok", "HTTP 302"),
            ("ok", ""),
            ("ok", ""),
        ];
        assert_eq!(
            told(&plan(), &results),
            [
                "Pass probe-dns: registry.example.com: 10.0.0.1",
                "Pass probe-egress: the task leaves from 203.0.113.9",
                "Pass probe-registry: https://registry.example.com/v2/: HTTP 401",
                "Pass probe-gitlab: https://gitlab.example.com: HTTP 302",
                "Pass probe-volume: /cache",
                "Pass probe-volume: /data",
            ]
        );
    }

    #[test]
    fn each_step_that_did_not_work_fails_with_what_it_means_for_a_job() {
        let results = [
            ("failed", "getent ended with 2"),
            ("failed", "curl 28"),
            ("failed", "curl 60"),
            ("failed", "curl 7"),
            ("failed", "writing: Permission denied"),
            ("failed", "ls: Permission denied"),
        ];
        assert_eq!(
            told(&plan(), &results),
            [
                "Fail probe-dns: registry.example.com: getent ended with 2: tasks do not find names",
                "Fail probe-egress: https://checkip.amazonaws.com: no answer in 10 s: tasks do not reach the internet",
                "Fail probe-registry: https://registry.example.com/v2/: TLS was not agreed on, or its certificate \
                 is not trusted in this image: jobs do not reach the registry",
                "Fail probe-gitlab: https://gitlab.example.com: the connection is refused, or there is no route: \
                 jobs do not reach GitLab",
                "Fail probe-volume: /cache: writing: Permission denied: jobs cannot write to a volume",
                "Fail probe-volume: /data: ls: Permission denied: jobs cannot read a volume",
            ]
        );
    }

    #[test]
    fn a_step_without_an_answer_or_without_its_tool_is_unknown() {
        let plan = ProbePlan { steps: plan().steps.drain(..2).collect(), no_registry: None };
        assert_eq!(
            told(&plan, &[("missing", "getent or nslookup")]),
            [
                "Unknown probe-dns: registry.example.com: the image has no getent or nslookup, so this is not known",
                "Unknown probe-egress: https://checkip.amazonaws.com: the task said nothing about it",
            ]
        );
    }

    #[test]
    fn a_registry_that_nobody_knows_is_one_unknown_line() {
        let why = Some("the image of the container `job` of ci is not known".to_owned());
        let lines = told(&ProbePlan { steps: Vec::new(), no_registry: why }, &[]);
        let expected = "Unknown probe-registry: the registry was not tried: the image of the container `job` of \
                        ci is not known";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_task_that_never_ran_the_script_has_no_line_about_its_steps() {
        let failure =
            ProbeFailure { headline: "no capacity".to_owned(), ..ProbeFailure::default() };
        let run = ProbeRun { failure: Some(failure), ..ProbeRun::default() };
        let checked = probe_lines(&plan(), &run, &[]);
        let [only] = checked.lines.as_slice() else { panic!("{:#?}", checked.lines) };
        assert_eq!((only.id.as_str(), only.outcome), ("probe-start", CheckOutcome::Fail));
        assert_eq!(checked.consequences, ["a job does not start"]);
    }

    #[test]
    fn a_probe_that_was_not_begun_is_unknown_and_fails_nothing() {
        let checked =
            probe_not_begun("`[defaults]` lacks `image`", Some("choose one: `--profile a`"));
        let [only] = checked.lines.as_slice() else { panic!("{:#?}", checked.lines) };
        assert_eq!((only.id.as_str(), only.outcome), ("probe-start", CheckOutcome::Unknown));
        assert_eq!(only.fix.as_deref(), Some("choose one: `--profile a`"));
        assert!(checked.consequences.is_empty());
    }
}
