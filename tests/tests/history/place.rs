//! A history to test, and the stories and journals that go in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fargate_events::{JobDescription, JobEvent, JobFact, StageVerdict, TaskFact};
use fargate_history::{
    AppliedEntry, HistoryLocation, HistoryStore, IngestSettings, JournalIngest, StoryUpdate,
};
use fargate_job_journal::{JobStory, JournalContent, JournalEntry, JournalFolder};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::job::JobKey;
use fargate_model::price::TaskPrices;
use fargate_model::size::FargateSize;
use tempfile::TempDir;

use crate::postgres::new_database;

/// 2026-12-01T00:00:00Z.
pub(crate) const DAWN: u64 = 1_796_083_200_000;

/// An empty history, and a folder beside it.
pub(crate) struct TestHistory {
    pub(crate) store: HistoryStore,
    pub(crate) location: HistoryLocation,
    pub(crate) folder: TempDir,
}

impl TestHistory {
    async fn at(location: Option<HistoryLocation>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let in_folder = HistoryLocation::Sqlite(folder.path().join("history.db"));
        let location = location.unwrap_or(in_folder);
        let opened = HistoryStore::open(&location).await.expect("a new history");
        assert_eq!(opened.moved_aside, None);
        Self { store: opened.store, location, folder }
    }

    /// One in a file.
    pub(crate) async fn in_file() -> Self {
        Self::at(None).await
    }

    /// One in a file, and one on PostgreSQL if that is there.
    pub(crate) async fn each() -> Vec<Self> {
        let mut each = vec![Self::in_file().await];
        if let Some(location) = new_database().await {
            each.push(Self::at(Some(location)).await);
        }
        each
    }

    /// Another connection to the same database.
    pub(crate) async fn reopened(&self) -> HistoryStore {
        HistoryStore::open(&self.location).await.expect("the same history").store
    }

    pub(crate) fn file(&self) -> &Path {
        match &self.location {
            HistoryLocation::Sqlite(path) => path,
            HistoryLocation::Postgres(_) => panic!("not a file"),
        }
    }
}

pub(crate) fn key(number: u32) -> JobKey {
    let mut bits = [0; 32];
    // Two numbers differ in the first digits, as hashes do.
    bits[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    bits[28..].copy_from_slice(&number.to_be_bytes());
    JobKey::from_bits(bits)
}

fn task(number: u32, attempt: u32) -> TaskArn {
    TaskArn(format!("arn:aws:ecs:eu-west-1:111122223333:task/ci/{number:030x}{attempt:02x}"))
}

/// What a made-up job is like.
#[derive(Clone, Debug)]
pub(crate) struct JobShape {
    pub(crate) number: u32,
    pub(crate) received_ms: u64,
    pub(crate) project: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) git_ref: String,
    pub(crate) cpu_units: u32,
    pub(crate) capacity: &'static str,
    /// How long the pull takes; everything else of the start takes 15 s.
    pub(crate) pull_ms: u64,
    pub(crate) script_ms: u64,
    pub(crate) verdict: StageVerdict,
    /// The start fails instead, with this cause.
    pub(crate) start_fails: Option<FailureCause>,
}

impl JobShape {
    /// The job with this number: they differ in everything.
    pub(crate) fn numbered(number: u32) -> Self {
        let n = u64::from(number);
        Self {
            number,
            received_ms: DAWN + n * 61_000,
            project: ["acme/web", "acme/api", "other/tool"][number as usize % 3].to_owned(),
            name: ["unit", "test:e2e", "build 100%", "Lint_All"][number as usize % 4].to_owned(),
            image: ["ci@stable", "node@stable"][number as usize % 2].to_owned(),
            git_ref: if number.is_multiple_of(5) { "feature/x" } else { "main" }.to_owned(),
            cpu_units: [1024, 2048][number as usize / 2 % 2],
            capacity: if number.is_multiple_of(4) { "FARGATE_SPOT" } else { "FARGATE" },
            pull_ms: 5_000 + n * 7_919 % 60_000,
            script_ms: 30_000 + n * 104_729 % 300_000,
            verdict: if number % 7 == 3 { StageVerdict::Failed } else { StageVerdict::Passed },
            start_fails: (number % 11 == 5).then_some(FailureCause::ImageDenied),
        }
    }

    /// All entries of its journal, in order.
    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        let mut journal =
            EntryList { at: self.received_ms, pid: 100 + self.number, entries: Vec::new() };
        let (task, launch) = (task(self.number, 1), RandomToken::from_bits([7; 16]));
        journal.event("prepare", 0, JobEvent::JobReceived { project: 7, timeout_s: Some(3600) });
        journal.fact("prepare", 5, JobFact::Described(Box::new(self.description())));
        journal.event("prepare", 10, JobEvent::JobAdmitted { waited_ms: 10 });
        journal.event("prepare", 100, JobEvent::TaskRequested { launch: launch.clone() });
        journal.event(
            "prepare",
            400,
            JobEvent::TaskAccepted { task: task.clone(), launch: launch.clone() },
        );
        let answered = JobFact::LaunchAnswered { launch, task: Some(task.clone()), report: None };
        journal.fact("prepare", 400, answered);
        let pull_started = self.received_ms + 11_400;
        let mut seen = TaskFact {
            task: task.0.clone(),
            status: "PENDING".to_owned(),
            created_ms: Some(self.received_ms + 350),
            connected_ms: Some(self.received_ms + 11_000),
            pull_started_ms: Some(pull_started),
            capacity: Some(self.capacity.to_owned()),
            ..TaskFact::default()
        };
        journal.fact("prepare", 11_500, JobFact::TaskSeen(Box::new(seen.clone())));
        if let Some(cause) = self.start_fails {
            seen.stopped_ms = Some(pull_started + self.pull_ms);
            journal.fact("prepare", 11_500 + self.pull_ms, JobFact::TaskSeen(Box::new(seen)));
            self.fail_start(&mut journal, cause);
            return journal.entries;
        }
        seen.status = "RUNNING".to_owned();
        seen.pull_stopped_ms = Some(pull_started + self.pull_ms);
        seen.started_ms = Some(pull_started + self.pull_ms + 2_100);
        journal.fact("prepare", 13_700 + self.pull_ms, JobFact::TaskSeen(Box::new(seen.clone())));
        let ready = 15_000 + self.pull_ms;
        journal.event(
            "prepare",
            ready,
            JobEvent::PrepareDone { task: task.clone(), took_ms: ready },
        );
        self.run_scripts(&mut journal, ready);
        let over = ready + self.script_ms + 9_000;
        journal.event("cleanup", over, JobEvent::CleanupStarted {});
        journal.event("cleanup", over + 50, JobEvent::TaskStopping { task, message: None });
        journal.event("cleanup", over + 60, JobEvent::CleanupDone { undone: 0 });
        journal.entries
    }

    fn run_scripts(&self, journal: &mut EntryList, ready: u64) {
        let stages = [
            ("get_sources", 1_000, StageVerdict::Passed),
            ("build_script", self.script_ms, self.verdict),
        ];
        let mut at = ready;
        for (stage, took, verdict) in stages {
            let stage = stage.to_owned();
            journal.fact(&stage, at, JobFact::StageStarted { stage: stage.clone() });
            at += took;
            let exit = Some(u8::from(verdict == StageVerdict::Failed));
            let ended = JobFact::StageEnded {
                stage: stage.clone(),
                exit,
                output_bytes: 512,
                resumed: 0,
                verdict,
            };
            journal.fact(&stage, at, ended);
        }
        if self.verdict == StageVerdict::Failed {
            let report = Box::new(CauseReport::new(FailureCause::ScriptFailed).with("n", "1"));
            journal.fact("build_script", at, JobFact::Explained { report, is_final: true });
        }
    }

    fn fail_start(&self, journal: &mut EntryList, cause: FailureCause) {
        let at = 11_600 + self.pull_ms;
        let report = Box::new(CauseReport::new(cause).with("image", &self.image));
        journal.fact("prepare", at, JobFact::Explained { report, is_final: true });
        let message = "no task".to_owned();
        journal.event("prepare", at, JobEvent::PrepareFailed { cause: Some(cause), message });
        journal.event("cleanup", at + 500, JobEvent::CleanupDone { undone: 0 });
    }

    fn description(&self) -> JobDescription {
        JobDescription {
            id: format!("gl-{}", 4000 + self.number),
            origin: "gitlab".to_owned(),
            attempt: 1,
            project: Some(self.project.clone()),
            name: Some(self.name.clone()),
            git_ref: Some(self.git_ref.clone()),
            user: Some("kim".to_owned()),
            host: "ci-1".to_owned(),
            queued_s: Some(0.4),
            size: Some(FargateSize { cpu_units: self.cpu_units, memory_mib: self.cpu_units * 2 }),
            architecture: Some("x86_64".to_owned()),
            image: Some(self.image.clone()),
            ..JobDescription::default()
        }
    }

    /// The update that brings all of it.
    pub(crate) fn update(&self, host: &str) -> StoryUpdate {
        let mut story = JobStory::new(key(self.number).as_str());
        let mut new_entries = Vec::new();
        for entry in self.entries() {
            story.apply(&entry);
            new_entries.push(AppliedEntry { entry, state: story.state });
        }
        fargate_job_journal::estimate_costs(&mut story, &TaskPrices::default(), 0);
        let journal_offset = journal_text(&self.entries()).len() as u64;
        StoryUpdate { new_entries, journal_offset, ..StoryUpdate::without_journal(host, story) }
    }
}

struct EntryList {
    at: u64,
    pid: u32,
    entries: Vec<JournalEntry>,
}

impl EntryList {
    fn add(&mut self, stage: &str, after: u64, content: JournalContent) {
        let (time_ms, pid, stage) = (self.at + after, self.pid, stage.to_owned());
        self.entries.push(JournalEntry { time_ms, attempt: 1, stage, pid, content });
    }

    fn event(&mut self, stage: &str, after: u64, event: JobEvent) {
        self.add(stage, after, JournalContent::Event(event));
    }

    fn fact(&mut self, stage: &str, after: u64, fact: JobFact) {
        self.add(stage, after, JournalContent::Fact(fact));
    }
}

/// The first so many made-up jobs, stored.
pub(crate) async fn fill(store: &HistoryStore, jobs: u32) -> Vec<StoryUpdate> {
    let updates: Vec<_> =
        (0..jobs).map(|number| JobShape::numbered(number).update("ci-1")).collect();
    for some in updates.chunks(50) {
        store.put(some.to_vec()).await.expect("a history that can be written");
    }
    updates
}

/// The file of these entries.
pub(crate) fn journal_text(entries: &[JournalEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let json = serde_json::to_string(entry).expect("an entry");
        writeln!(text, "{:08x} {json}", crc32fast::hash(json.as_bytes())).expect("a string");
    }
    text
}

/// A state folder with journals.
pub(crate) struct TestJournals {
    pub(crate) state_dir: PathBuf,
    pub(crate) folder: JournalFolder,
}

impl TestJournals {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let state_dir = folder.join("state");
        let folder = JournalFolder::of(&state_dir);
        folder.make().expect("a folder");
        Self { state_dir, folder }
    }

    /// Appends to the journal of a job, as its processes would.
    pub(crate) fn append(&self, number: u32, text: &str) {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.folder.journal(&key(number));
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(path).expect("a journal");
        file.write_all(text.as_bytes()).expect("a disk with room");
    }

    pub(crate) fn settings(&self, host: &str) -> IngestSettings {
        IngestSettings {
            host: host.to_owned(),
            owner: format!("owner of {}", self.state_dir.display()),
            state_dir: self.state_dir.clone(),
            prices: TaskPrices::default(),
            keep: Duration::from_secs(90 * 24 * 3600),
            keep_audit: Duration::from_secs(365 * 24 * 3600),
        }
    }

    pub(crate) fn ingest(&self, store: &HistoryStore, host: &str) -> JournalIngest {
        JournalIngest::claim(store.clone(), self.settings(host)).expect("the only daemon")
    }
}

/// Steps until nothing is left to read.
pub(crate) async fn read_all(ingest: &mut JournalIngest) {
    while ingest.step().await.expect("a history that can be written") {}
}
