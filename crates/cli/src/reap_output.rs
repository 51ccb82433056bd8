//! What `tasks reap` saw and did: as a table, as JSON, as TSV, and in words.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use fargate_controller::{OrphanOutcome, OrphanReport, ReapedCluster, SweepReport};
use fargate_model::text::{count, duration, escape, ticking};
use fargate_terminal::{TableColumn, table_lines};
use serde_json::{Value, json};

use crate::kept_words::kept_until;

const COLUMNS: [TableColumn; 6] = [
    TableColumn::new("TASK"),
    TableColumn::new("JOB"),
    TableColumn::new("AGE").dropped(1),
    TableColumn::new("CLUSTER").dropped(0),
    TableColumn::new("RESULT"),
    TableColumn::new("WHY"),
];

/// Whose tasks were checked.
pub enum ReapScope {
    /// Those of this host, by its name.
    Host(String),
    /// Those of all hosts in these clusters; none where no profile led to one.
    Clusters(Vec<ReapedCluster>),
}

impl fmt::Display for ReapScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(owner) => write!(f, "host {owner}"),
            Self::Clusters(clusters) if clusters.is_empty() => f.write_str("all hosts"),
            Self::Clusters(clusters) => {
                let clusters: Vec<String> = clusters.iter().map(ReapedCluster::to_string).collect();
                write!(f, "all hosts in {}", clusters.join(", "))
            }
        }
    }
}

/// For a terminal; empty where there is no orphan.
pub fn table(sweep: &SweepReport, width: Option<usize>) -> String {
    if sweep.orphans.is_empty() {
        return String::new();
    }
    let safe = |orphan| row(orphan).iter().map(|cell| escape(cell)).collect();
    let rows: Vec<Vec<String>> = sweep.orphans.iter().map(safe).collect();
    table_lines(&COLUMNS, &rows, width).join("\n")
}

fn row(orphan: &OrphanReport) -> Vec<String> {
    let none = || "-".to_owned();
    vec![
        orphan.task.as_ref().map_or_else(none, fargate_model::id::TaskArn::short),
        job(orphan),
        orphan.age.map_or_else(none, ticking),
        format!("{}, {}", orphan.cluster, orphan.region),
        slug(&orphan.done).to_owned(),
        orphan.reason.words().to_owned(),
    ]
}

/// The job's id on its forge, else the beginning of its key.
fn job(orphan: &OrphanReport) -> String {
    let short = || orphan.job.as_str().chars().take(8).collect();
    orphan.job_id.clone().unwrap_or_else(short)
}

/// One word for what became of an orphan. Programs read it, so it is never renamed.
fn slug(done: &OrphanOutcome) -> &'static str {
    match done {
        OrphanOutcome::SeenOnce => "seen-once",
        OrphanOutcome::WouldStop => "would-stop",
        OrphanOutcome::Stopped => "stopped",
        OrphanOutcome::Settled => "settled",
        OrphanOutcome::Changed => "spared",
        OrphanOutcome::NotDone(_) => "not-stopped",
    }
}

fn named(cluster: &ReapedCluster) -> Value {
    json!({ "cluster": cluster.name, "region": cluster.region })
}

/// One document.
pub fn json(scope: &ReapScope, dry_run: bool, sweep: &SweepReport) -> String {
    let orphans: Vec<Value> = sweep
        .orphans
        .iter()
        .map(|orphan| {
            let error = match &orphan.done {
                OrphanOutcome::NotDone(words) => Some(words),
                _ => None,
            };
            json!({
                "task": orphan.task.as_ref().map(|task| &task.0),
                "job": orphan.job_id,
                "job_key": orphan.job.as_str(),
                "cluster": orphan.cluster,
                "region": orphan.region,
                "age_s": orphan.age.map(|age| age.as_secs()),
                "reason": orphan.reason.slug(),
                "result": slug(&orphan.done),
                "error": error,
            })
        })
        .collect();
    let left: Vec<Value> = sweep
        .left_alone
        .iter()
        .map(|left| json!({ "task": left.task.0, "reason": left.doubt.slug() }))
        .collect();
    let kept: Vec<Value> = sweep
        .kept
        .iter()
        .map(|kept| {
            let (task, until) =
                (kept.task.as_ref().map(|task| &task.0), kept.kept.keep_until_unix_s);
            json!({ "task": task, "job": kept.job_id, "keep_until": until })
        })
        .collect();
    let (host, clusters) = match scope {
        ReapScope::Host(owner) => (Some(owner), None),
        ReapScope::Clusters(clusters) => {
            (None, Some(clusters.iter().map(named).collect::<Value>()))
        }
    };
    let document = json!({
        "host": host,
        "clusters": clusters,
        "dry_run": dry_run,
        "needed": sweep.needed,
        "orphans": orphans,
        "kept": kept,
        "left_alone": left,
        "problems": sweep.problems,
    });
    document.to_string()
}

/// Task, job, cluster, Region, age in seconds, reason, result: one line each, no head, nothing cut.
pub fn tsv(sweep: &SweepReport) -> String {
    let line = |orphan: &OrphanReport| {
        let cells = [
            orphan.task.as_ref().map(|task| escape(&task.0)).unwrap_or_default(),
            escape(orphan.job_id.as_deref().unwrap_or(orphan.job.as_str())),
            escape(&orphan.cluster),
            escape(&orphan.region),
            orphan.age.map(|age| age.as_secs().to_string()).unwrap_or_default(),
            orphan.reason.slug().to_owned(),
            slug(&orphan.done).to_owned(),
        ];
        cells.join("\t")
    };
    sweep.orphans.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What went wrong, each thing once, and one sentence about all of it.
pub fn words(scope: &ReapScope, sweep: &SweepReport, took: Duration) -> Vec<String> {
    let mut lines: Vec<String> =
        sweep.problems.iter().map(|problem| format!("warning: {}", escape(problem))).collect();
    let mut undone: BTreeMap<&str, u64> = BTreeMap::new();
    for orphan in &sweep.orphans {
        if let OrphanOutcome::NotDone(words) = &orphan.done {
            *undone.entry(words).or_default() += 1;
        }
    }
    lines.extend(undone.iter().map(|(words, n)| {
        let orphans =
            if *n == 1 { "1 orphan".to_owned() } else { format!("{} orphans", count(*n)) };
        format!("warning: {orphans} not stopped: {}", escape(words))
    }));
    let mut doubts: BTreeMap<&str, u64> = BTreeMap::new();
    for left in &sweep.left_alone {
        *doubts.entry(left.doubt.words()).or_default() += 1;
    }
    lines.extend(doubts.iter().map(|(words, n)| {
        let tasks =
            if *n == 1 { "1 task was".to_owned() } else { format!("{} tasks were", count(*n)) };
        format!("{tasks} left alone: {words}")
    }));
    lines.extend(sweep.kept.iter().map(|kept| {
        let until = kept_until(kept.kept, SystemTime::now());
        format!("the task of the failed job {} is {until}", escape(&kept.job_id))
    }));
    lines.push(sentence(scope, sweep, took));
    lines
}

fn sentence(scope: &ReapScope, sweep: &SweepReport, took: Duration) -> String {
    let of = |is: fn(&OrphanOutcome) -> bool| sweep.orphans.iter().filter(|o| is(&o.done)).count();
    let number = |n: usize| count(u64::try_from(n).unwrap_or(u64::MAX));
    let parts = [
        (of(|done| matches!(done, OrphanOutcome::Stopped | OrphanOutcome::Settled)), "stopped"),
        (of(|done| matches!(done, OrphanOutcome::WouldStop)), "would be stopped"),
        (of(|done| matches!(done, OrphanOutcome::NotDone(_))), "not stopped"),
        (of(|done| matches!(done, OrphanOutcome::SeenOnce)), "seen once"),
        (of(|done| matches!(done, OrphanOutcome::Changed)), "needed after all"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", number(*n)))
        .collect();
    let needed = match sweep.needed {
        _ if sweep.clusters == 0 => "no cluster could be checked".to_owned(),
        0 if !sweep.problems.is_empty() => "no task of a job was found".to_owned(),
        0 => "no job has a task".to_owned(),
        1 => "1 task of a job keeps running".to_owned(),
        n => format!("{} tasks of jobs keep running", number(n)),
    };
    let took = duration(took);
    match told.is_empty() {
        true if sweep.clusters == 0 => format!("{needed} for {scope}"),
        true if !sweep.problems.is_empty() => {
            format!("no orphan was found on {scope}, but not everything could be checked: {needed}")
        }
        true => format!("no orphan on {scope}; {needed}"),
        false => format!("orphans of {scope}: {} in {took}; {needed}", told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_controller::{OrphanReason, UnjudgedReason, UnjudgedTask};
    use fargate_model::id::TaskArn;
    use fargate_model::job::JobKey;

    fn host() -> ReapScope {
        ReapScope::Host("ci-1".to_owned())
    }

    fn clusters() -> ReapScope {
        ReapScope::Clusters(vec![ReapedCluster {
            name: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
        }])
    }

    fn task(digit: char) -> TaskArn {
        let id: String = std::iter::repeat_n(digit, 32).collect();
        TaskArn(format!("arn:aws:ecs:eu-west-1:123456789012:task/ci/{id}"))
    }

    fn sweep() -> SweepReport {
        let orphan = |digit, job_id: Option<&str>, reason, done| OrphanReport {
            task: Some(task(digit)),
            job: JobKey::from_bits([7; 32]),
            job_id: job_id.map(str::to_owned),
            cluster: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
            age: Some(Duration::from_secs(7500)),
            reason,
            done,
        };
        let denied = "StopTask: AccessDeniedException: not authorized";
        SweepReport {
            clusters: 1,
            kept: Vec::new(),
            needed: 20,
            left_alone: vec![UnjudgedTask {
                task: task('b'),
                doubt: UnjudgedReason::AnotherFolder,
            }],
            orphans: vec![
                orphan('5', Some("gl-4411"), OrphanReason::ManagerGone, OrphanOutcome::Stopped),
                orphan(
                    '6',
                    None,
                    OrphanReason::NoRecord,
                    OrphanOutcome::NotDone(denied.to_owned()),
                ),
                orphan(
                    '7',
                    None,
                    OrphanReason::NoRecord,
                    OrphanOutcome::NotDone(denied.to_owned()),
                ),
            ],
            problems: vec!["cluster old in eu-west-1: its tasks could not be listed".to_owned()],
        }
    }

    #[test]
    fn a_terminal_shows_a_table_and_stderr_says_each_thing_once() {
        insta::assert_snapshot!(table(&sweep(), Some(120)), @r"
        TASK      JOB       AGE     CLUSTER        RESULT       WHY
        55555555  gl-4411   2h 05m  ci, eu-west-1  stopped      the runner that called its stages is gone
        66666666  07070707  2h 05m  ci, eu-west-1  not-stopped  this host has no record of its job
        77777777  07070707  2h 05m  ci, eu-west-1  not-stopped  this host has no record of its job
        ");
        let words = words(&host(), &sweep(), Duration::from_secs(11)).join("\n");
        insta::assert_snapshot!(words, @r"
        warning: cluster old in eu-west-1: its tasks could not be listed
        warning: 2 orphans not stopped: StopTask: AccessDeniedException: not authorized
        1 task was left alone: it belongs to another state folder
        orphans of host ci-1: 1 stopped, 2 not stopped in 11.0 s; 20 tasks of jobs keep running
        ");
        let nothing = SweepReport { clusters: 1, needed: 1, ..SweepReport::default() };
        assert_eq!(table(&nothing, Some(80)), "");
        let words = super::words(&host(), &nothing, Duration::ZERO).join("\n");
        assert_eq!(words, "no orphan on host ci-1; 1 task of a job keeps running");
    }

    #[test]
    fn where_no_cluster_was_looked_at_nothing_is_said_of_its_tasks() {
        let blind = SweepReport::default();
        let line = |sweep| sentence(&host(), sweep, Duration::from_secs(2));
        assert_eq!(line(&blind), "no cluster could be checked for host ci-1");
        let nowhere = sentence(&ReapScope::Clusters(Vec::new()), &blind, Duration::ZERO);
        assert_eq!(nowhere, "no cluster could be checked for all hosts");
        let settled = SweepReport { clusters: 0, needed: 0, ..sweep() };
        insta::assert_snapshot!(line(&settled), @"orphans of host ci-1: 1 stopped, 2 not stopped in 2.0 s; no cluster could be checked");
    }

    #[test]
    fn programs_get_whole_ids_and_fixed_words() {
        let text = json(&host(), false, &sweep());
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["host"], &document["clusters"]), (&json!("ci-1"), &Value::Null));
        let of_clusters = json(&clusters(), false, &sweep());
        let of_clusters: Value = serde_json::from_str(&of_clusters).unwrap();
        assert_eq!(of_clusters["host"], Value::Null);
        assert_eq!(of_clusters["clusters"], json!([{ "cluster": "ci", "region": "eu-west-1" }]));
        assert_eq!(document["orphans"][0]["task"], task('5').0);
        assert_eq!(document["orphans"][0]["reason"], "manager-gone");
        assert_eq!(document["orphans"][1]["result"], "not-stopped");
        assert_eq!(document["left_alone"][0]["reason"], "another-folder");
        assert_eq!(document["needed"], 20);
        let first = tsv(&sweep()).lines().next().unwrap().to_owned();
        let cells: Vec<&str> = first.split('\t').collect();
        assert_eq!(cells[1..], ["gl-4411", "ci", "eu-west-1", "7500", "manager-gone", "stopped"]);
    }

    #[test]
    fn where_something_was_not_looked_at_no_orphan_is_no_all_clear() {
        let problems = vec!["cluster old in us-east-1: no profile leads there".to_owned()];
        let partly = SweepReport { clusters: 1, problems, ..SweepReport::default() };
        insta::assert_snapshot!(sentence(&host(), &partly, Duration::ZERO), @"no orphan was found on host ci-1, but not everything could be checked: no task of a job was found");
        let whole = SweepReport { clusters: 1, ..SweepReport::default() };
        let clusters = clusters();
        insta::assert_snapshot!(sentence(&clusters, &whole, Duration::ZERO), @"no orphan on all hosts in cluster ci in eu-west-1; no job has a task");
    }
}
