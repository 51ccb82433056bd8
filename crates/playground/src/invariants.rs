//! The eight invariants, and the check of those that show in the records of a cloud and in the files on
//! the disk, whatever the jobs did.
//!
//! It reports what is broken, with the evidence. It does not know what a job should have done: who plays
//! the job checks its verdict, its output and its deadlines.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aho_corasick::AhoCorasick;
use fargate_local_cloud::{RequestRecord, TaskRecord};

use crate::leftovers::JobLeftovers;

/// What must hold after every fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductInvariant {
    /// I1: every task that we start stops, and nothing of its job stays.
    NoOrphan,
    /// I2: at most one live task per job, and one start per script.
    NoDouble,
    /// I3: no verdict that the script did not earn.
    NoFalseVerdict,
    /// I4: output is whole and in order, or its cut is marked.
    NoSilentLoss,
    /// I5: every wait has a deadline.
    Bounded,
    /// I6: no secret where it does not belong.
    NoSecretOut,
    /// I7: no byte of a script before the host is proven.
    RightHost,
    /// I8: nothing that a job controls selects what it runs as.
    TenantWall,
}

impl ProductInvariant {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::NoOrphan,
        Self::NoDouble,
        Self::NoFalseVerdict,
        Self::NoSilentLoss,
        Self::Bounded,
        Self::NoSecretOut,
        Self::RightHost,
        Self::TenantWall,
    ];
}

impl fmt::Display for ProductInvariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoOrphan => "I1 no orphan",
            Self::NoDouble => "I2 no double",
            Self::NoFalseVerdict => "I3 no false verdict",
            Self::NoSilentLoss => "I4 no silent loss",
            Self::Bounded => "I5 bounded",
            Self::NoSecretOut => "I6 no secret out",
            Self::RightHost => "I7 right host",
            Self::TenantWall => "I8 tenant wall",
        })
    }
}

/// An invariant that did not hold, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenInvariant {
    /// The invariant.
    pub invariant: ProductInvariant,
    /// What shows that it did not hold.
    pub evidence: String,
}

impl fmt::Display for BrokenInvariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.evidence)
    }
}

fn broken(invariant: ProductInvariant, evidence: impl Into<String>) -> BrokenInvariant {
    BrokenInvariant { invariant, evidence: evidence.into() }
}

/// The key of the job that a task belongs to.
#[must_use]
pub fn job_of(task: &TaskRecord) -> Option<&str> {
    task.environment.get("FARGATE_RUNNER_JOB").map(String::as_str)
}

/// I1: nothing is left.
#[must_use]
pub fn no_orphan(left: &JobLeftovers) -> Vec<BrokenInvariant> {
    let all = || {
        let tasks = left.tasks.iter().map(|task| format!("task {task}"));
        let files = left.files.iter().map(|file| format!("file {}", file.display()));
        let processes = left.processes.iter().map(|pid| format!("process {pid}"));
        tasks
            .chain(files)
            .chain(processes)
            .map(|what| broken(ProductInvariant::NoOrphan, what))
            .collect()
    };
    if left.is_none() { Vec::new() } else { all() }
}

/// I2: at most one task of a job is meant to live at a time.
#[must_use]
pub fn no_double(tasks: &[TaskRecord], requests: &[RequestRecord]) -> Vec<BrokenInvariant> {
    let mut found = Vec::new();
    for (index, former) in tasks.iter().enumerate() {
        let Some(job) = job_of(former) else { continue };
        let ended = ordered_to_end(former, requests);
        for later in tasks[index + 1..].iter().filter(|task| job_of(task) == Some(job)) {
            if ended.is_none_or(|ended| ended > later.created_at) {
                let what = format!("two live tasks of job {job}: {} {}", former.arn, later.arn);
                found.push(broken(ProductInvariant::NoDouble, what));
            }
        }
    }
    found
}

/// When a task was told to stop, or stopped by itself.
fn ordered_to_end(task: &TaskRecord, requests: &[RequestRecord]) -> Option<SystemTime> {
    let stop = requests.iter().find(|request| {
        request.operation == "StopTask" && request.body["task"] == task.arn.as_str()
    });
    let told = stop.map(|request| request.time);
    told.into_iter().chain(task.stopped_at).min()
}

/// A secret, and where it may be.
#[derive(Clone, Debug)]
pub struct KnownSecret {
    /// What kind of secret it is. The evidence names this and never the text.
    pub what: &'static str,
    /// The text.
    pub text: String,
    /// The one operation of ECS whose request may hold it.
    pub allowed_in: Option<&'static str>,
}

/// The seeds of host keys. Only the request of RunTask may hold them.
#[must_use]
pub fn seeds(tasks: &[TaskRecord]) -> Vec<KnownSecret> {
    let seed = |task: &TaskRecord| task.environment.get("FARGATE_RUNNER_HOST_KEY_SEED").cloned();
    let secret =
        |text| KnownSecret { what: "a seed of a host key", text, allowed_in: Some("RunTask") };
    tasks.iter().filter_map(seed).map(secret).collect()
}

/// I6: no secret in a file that stays, in what the stages printed (`said`), or in a request to AWS.
/// Each of `files` is searched whole.
#[must_use]
pub fn no_secret_out(
    files: &[PathBuf],
    said: &[Vec<u8>],
    requests: &[RequestRecord],
    secrets: &[KnownSecret],
) -> Vec<BrokenInvariant> {
    let searched = SecretSearch::new(secrets);
    let mut found = BTreeSet::new();
    for path in files {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            // The file is gone since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                found.insert(format!("{} cannot be looked through: {error}", path.display()));
                continue;
            }
        };
        for secret in searched.in_bytes(&bytes) {
            found.insert(format!("{} is in {}", secret.what, path.display()));
        }
    }
    for bytes in said {
        for secret in searched.in_bytes(bytes) {
            found.insert(format!("{} was printed", secret.what));
        }
    }
    for request in requests {
        let (body, operation) = (request.body.to_string(), request.operation.as_str());
        for secret in searched.in_bytes(body.as_bytes()) {
            if secret.allowed_in != Some(operation) {
                found.insert(format!("{} was sent with {operation}", secret.what));
            }
        }
    }
    found.into_iter().map(|what| broken(ProductInvariant::NoSecretOut, what)).collect()
}

/// A search for all secrets in one pass: hundreds of jobs have hundreds of them.
struct SecretSearch<'a> {
    secrets: Vec<&'a KnownSecret>,
    automaton: AhoCorasick,
}

impl<'a> SecretSearch<'a> {
    fn new(secrets: &'a [KnownSecret]) -> Self {
        let secrets: Vec<_> = secrets.iter().filter(|secret| !secret.text.is_empty()).collect();
        let texts = secrets.iter().map(|secret| &secret.text);
        let automaton = AhoCorasick::new(texts).expect("so few texts fit into an automaton");
        Self { secrets, automaton }
    }

    /// The secrets that occur in `bytes`; one that occurs again may be named again.
    fn in_bytes(&self, bytes: &[u8]) -> impl Iterator<Item = &'a KnownSecret> {
        let found = self.automaton.find_overlapping_iter(bytes);
        found.map(|found| self.secrets[found.pattern()])
    }
}

/// I8: every RunTask asked for a task definition and subnets that are `allowed`, and replaced no role.
#[must_use]
pub fn tenant_wall(
    requests: &[RequestRecord],
    allowed: impl Fn(&str) -> bool,
) -> Vec<BrokenInvariant> {
    let mut found = Vec::new();
    for request in requests.iter().filter(|request| request.operation == "RunTask") {
        let body = &request.body;
        let asked = &body["networkConfiguration"]["awsvpcConfiguration"]["subnets"];
        let is_allowed = |value: &serde_json::Value| value.as_str().is_some_and(&allowed);
        let within = asked.as_array().is_some_and(|asked| asked.iter().all(is_allowed));
        let overrides = &body["overrides"];
        let own = ["taskRoleArn", "executionRoleArn"].iter().any(|role| !overrides[role].is_null());
        if !is_allowed(&body["taskDefinition"]) || !within || own {
            let what = format!(
                "RunTask of {} in {asked} with {}",
                body["taskDefinition"],
                if own { "a role of its own" } else { "no role of its own" }
            );
            found.push(broken(ProductInvariant::TenantWall, what));
        }
    }
    found
}

/// What our programs print for a panic, and what Rust prints where our handler does not run.
const OF_A_PANIC: [&str; 2] = ["a bug in fargate-runner", "panicked at"];

/// I5: a call of `name` printed no panic.
#[must_use]
pub fn no_panic(name: &str, said: &[u8]) -> Option<BrokenInvariant> {
    OF_A_PANIC.iter().any(|words| contains(said, words.as_bytes())).then(|| {
        let said = String::from_utf8_lossy(said);
        broken(ProductInvariant::Bounded, format!("{name} panicked: {said}"))
    })
}

/// True if `text` occurs in `bytes`.
#[must_use]
pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && memchr::memmem::find(bytes, text).is_some()
}

/// Every regular file below `folder`.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(operation: &str, text: &str) -> RequestRecord {
        RequestRecord {
            number: 1,
            operation: operation.to_owned(),
            service: "ecs",
            access_key_id: String::new(),
            region: String::new(),
            body: json!({ "text": text }),
            time: SystemTime::UNIX_EPOCH,
            status: None,
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_does_not_belong_and_without_its_text() {
        let secret =
            |what, text: &str, allowed_in| KnownSecret { what, text: text.to_owned(), allowed_in };
        let secrets = [
            secret("a token", "glcbt-1", None),
            // One secret that contains another, and one that was never set.
            secret("a long token", "glcbt-1-long", None),
            secret("a seed", "5eed", Some("RunTask")),
            secret("nothing", "", None),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        fs::write(&file, "{\"token\":\"glcbt-1\"}").unwrap();
        let files = [file, folder.path().join("gone")];
        let said = [b"log\n".to_vec(), b"a glcbt-1-long b".to_vec()];
        let requests = [request("RunTask", "5eed"), request("ListTasks", "5eed")];
        let found = no_secret_out(&files, &said, &requests, &secrets);
        let told: Vec<_> = found.iter().map(|broken| broken.evidence.clone()).collect();
        let in_file = format!("a token is in {}", files[0].display());
        let expected = [
            "a long token was printed",
            "a seed was sent with ListTasks",
            &in_file,
            "a token was printed",
        ];
        assert_eq!(told, expected);
        assert!(no_secret_out(&files[1..], &said[..1], &requests[..1], &secrets).is_empty());
    }

    #[test]
    fn a_panic_is_seen_in_our_words_and_in_rusts() {
        let ours = "fargate-runner: error: a bug in fargate-runner at src/a.rs:1:2; report it";
        let rusts = "thread 'main' (7) panicked at src/a.rs:1:2:\nno";
        for said in [ours, rusts] {
            let told = no_panic("prepare", said.as_bytes()).map(|broken| broken.invariant);
            assert_eq!(told, Some(ProductInvariant::Bounded), "{said}");
        }
        assert_eq!(no_panic("run", b"fargate-runner: error: no task"), None);
    }
}
