//! Finds what a job must not leave behind: a task, a state file, a process. It removes nothing.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use fargate_local_cloud::TaskRecord;

/// What stays in a state folder on purpose: tombstones, locks, journals, the history and the socket of
/// `serve`, what was told to whoever is on call, what people did by commands, which revision of a task definition
/// has which content, the name of the host, and the id of the machine.
const KEPT: [&str; 13] = [
    "tombstones",
    "locks",
    "journals",
    "actions",
    "definitions",
    "owner",
    "machine",
    "history.db",
    "history.db-wal",
    "history.db-shm",
    "daemon.sock",
    "told-notices.json",
    "told-notices.lock",
];

/// The variable that holds the seed of a task's host key. No two tasks have the same seed.
const SEED: &str = "FARGATE_RUNNER_HOST_KEY_SEED";

/// Depth to which the state folder is searched.
const DEPTH: usize = 4;

/// What was found of one job, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobLeftovers {
    /// Tasks that are not STOPPED.
    pub tasks: Vec<String>,
    /// Files of the state folder.
    pub files: Vec<PathBuf>,
    /// Process ids.
    pub processes: Vec<u32>,
}

impl JobLeftovers {
    /// Adds what `other` found. What both found counts once.
    pub fn merge(&mut self, other: &Self) {
        self.tasks.extend(other.tasks.iter().cloned());
        self.files.extend(other.files.iter().cloned());
        self.processes.extend(&other.processes);
        self.tasks.sort();
        self.tasks.dedup();
        self.files.sort();
        self.files.dedup();
        self.processes.sort_unstable();
        self.processes.dedup();
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tasks.is_empty() && self.files.is_empty() && self.processes.is_empty()
    }
}

impl fmt::Display for JobLeftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.tasks.len(), "task", "tasks"),
            (self.files.len(), "state file", "state files"),
            (self.processes.len(), "process", "processes"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
            .collect();
        f.write_str(&if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
    }
}

/// What is left of the job with the key `job`. The folders of its attempts were in `folder`.
#[must_use]
pub fn of_job(job: &str, folder: &Path, state_dir: &Path, tasks: &[TaskRecord]) -> JobLeftovers {
    let of_job = |task: &&TaskRecord| {
        task.environment.get("FARGATE_RUNNER_JOB").is_some_and(|key| key == job)
    };
    let files = state_files(state_dir).into_iter();
    JobLeftovers {
        tasks: tasks.iter().filter(of_job).filter(lives).map(|task| task.arn.clone()).collect(),
        files: files.filter(|path| path.to_string_lossy().contains(job)).collect(),
        processes: processes(&[job, &folder.to_string_lossy()]),
    }
}

/// What is left of all jobs below `folder` and of `tasks`. The processes of tasks do not name the folder.
/// Their seeds tell them apart, because jobs of another cloud may have the same keys.
#[must_use]
pub fn of_all(folder: &Path, state_dir: &Path, tasks: &[TaskRecord]) -> JobLeftovers {
    let folder = folder.to_string_lossy();
    let seeds = tasks.iter().filter_map(|task| task.environment.get(SEED));
    let seeds = seeds.filter(|seed| !seed.is_empty()).map(String::as_str);
    let marks: Vec<&str> = seeds.chain([&*folder]).collect();
    JobLeftovers {
        tasks: tasks.iter().filter(lives).map(|task| task.arn.clone()).collect(),
        files: state_files(state_dir),
        processes: processes(&marks),
    }
}

fn lives(task: &&TaskRecord) -> bool {
    task.last_status != "STOPPED"
}

/// Every file below `state_dir`, except what stays at its top on purpose. Empty files count.
fn state_files(state_dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(state_dir.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if depth == 0 && KEPT.iter().any(|kept| entry.file_name() == *kept) {
                continue;
            }
            if !metadata.is_dir() {
                found.push(path);
            } else if depth < DEPTH {
                folders.push((path, depth + 1));
            }
        }
    }
    found.sort();
    found
}

/// Processes other than this one whose environment, command line or working directory holds one
/// of `marks`.
fn processes(marks: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let path = entry.path();
        let cwd = fs::read_link(path.join("cwd")).unwrap_or_default();
        let texts = [
            fs::read(path.join("environ")).unwrap_or_default(),
            fs::read(path.join("cmdline")).unwrap_or_default(),
            cwd.into_os_string().into_encoded_bytes(),
        ];
        let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
        if marks.iter().any(|mark| texts.iter().any(|text| text.contains(mark))) {
            found.push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tombstones_locks_and_the_owner_are_no_leftovers_and_a_state_file_is_even_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let key = "made-up-key-0001";
        for name in ["tombstones", "jobs", "locks"] {
            fs::create_dir_all(state.join(name)).unwrap();
        }
        fs::write(state.join("tombstones").join(format!("{key}.json")), "{}").unwrap();
        fs::write(state.join("owner"), "me").unwrap();
        fs::write(state.join("locks").join(key), "").unwrap();
        assert_eq!(of_all(folder.path(), &state, &[]).to_string(), "none");
        for content in ["{}", ""] {
            fs::write(state.join("jobs").join(format!("{key}.json")), content).unwrap();
            assert_eq!(of_job(key, folder.path(), &state, &[]).to_string(), "1 state file");
        }
        assert_eq!(of_job("made-up-key-0002", folder.path(), &state, &[]).to_string(), "none");
    }

    #[test]
    fn a_process_is_found_by_its_folder_and_by_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let sleeper =
            |command: &mut Command| command.arg("60").stdin(Stdio::null()).spawn().unwrap();
        let mark = "f00dfeed-made-up-key";
        let mut by_folder = sleeper(Command::new("sleep").current_dir(folder.path()));
        let mut by_environment = sleeper(Command::new("sleep").env("FARGATE_RUNNER_JOB", mark));
        let found = of_job(mark, folder.path(), folder.path(), &[]);
        for child in [&mut by_folder, &mut by_environment] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(found.processes.contains(&by_folder.id()), "{found:?}");
        assert!(found.processes.contains(&by_environment.id()), "{found:?}");
        assert!(of_job(mark, folder.path(), folder.path(), &[]).is_none());
    }
}
