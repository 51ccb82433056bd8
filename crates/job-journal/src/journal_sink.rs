//! Writes what the processes of one job tell into the job's journal.
//!
//! It never waits: no lock, no fsync, one write for each line. A process that is killed loses at most the
//! line that it was about to write. If the journal cannot be written, the operator's log gets one warning,
//! and the job goes on without it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use fargate_events::{EventSink, JobEvent, JobFact, TracingSink};
use fargate_files::FileError;
use fargate_mask::SharedMasker;
use fargate_model::job::JobKey;
use fargate_model::text::error_chain;
use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};

use crate::journal_entry::{JournalContent, JournalEntry, LONGEST_LINE, RawEntry};
use crate::journal_folder::JournalFolder;
use crate::journal_mask;

/// Largest journal in bytes. A job that writes more is followed up to there. Ours: some 100,000 events.
const LONGEST_JOURNAL: u64 = 32 * 1024 * 1024;

/// What a disk must have left, in bytes and in files: the record of a job needs the last of both, and a full
/// disk after RunTask would fail the job. Ours.
const SPARE_BYTES: u64 = 16 * 1024 * 1024;
const SPARE_FILES: u64 = 100;

/// Appends to the journal of one job, for one process.
pub struct JournalSink {
    folder: JournalFolder,
    key: JobKey,
    stage: String,
    masker: SharedMasker,
    state: Mutex<SinkState>,
}

struct SinkState {
    journal: OpenedJournal,
    /// The try, once it is known.
    attempt: u32,
}

enum OpenedJournal {
    /// It is opened for the first entry.
    Unopened,
    Open {
        file: File,
        length: u64,
        /// The last line has no end: whoever wrote it was killed, or the disk was full.
        is_mid_line: bool,
    },
    /// It cannot be written, and the operator was told.
    GivenUp,
}

impl JournalSink {
    /// A sink for the process that is `stage` of the job. Texts are masked by `masker`. Nothing is created
    /// before the first event.
    #[must_use]
    pub fn new(folder: JournalFolder, key: JobKey, stage: String, masker: SharedMasker) -> Self {
        let state = Mutex::new(SinkState { journal: OpenedJournal::Unopened, attempt: 0 });
        Self { folder, key, stage, masker, state }
    }

    fn append(&self, content: JournalContent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let JournalContent::Fact(JobFact::Described(description)) = &content {
            state.attempt = description.attempt;
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let entry = JournalEntry {
            time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            attempt: state.attempt,
            stage: self.stage.clone(),
            pid: std::process::id(),
            content,
        };
        if let Err(message) = self.write(&mut state.journal, &entry) {
            state.journal = OpenedJournal::GivenUp;
            TracingSink.take(&JobEvent::JournalNotWritten { message });
        }
    }

    fn write(&self, journal: &mut OpenedJournal, entry: &JournalEntry) -> Result<(), String> {
        let path = self.folder.journal(&self.key);
        if let OpenedJournal::Unopened = journal {
            let state_dir = self.folder.path().parent().unwrap_or(self.folder.path());
            require_room(&path, statvfs(state_dir))?;
            *journal = open(&self.folder, &self.key).map_err(|error| error_chain(&error))?;
        }
        let OpenedJournal::Open { file, length, is_mid_line } = journal else { return Ok(()) };
        let mut raw = RawEntry::of(entry).map_err(|error| error.to_string())?;
        journal_mask::mask(&mut raw, &self.masker);
        let mut line = raw.line().map_err(|error| error.to_string())?;
        require_room(&path, fstatvfs(&*file))?;
        if line.len() > LONGEST_LINE {
            // The job's story goes on without it, and says that something is missing.
            line = raw.mark_of_left_out(line.len()).line().map_err(|error| error.to_string())?;
        }
        if *length + line.len() as u64 > LONGEST_JOURNAL {
            return Err(format!(
                "writing {}: it has reached its limit of {} MiB",
                path.display(),
                LONGEST_JOURNAL / 1024 / 1024
            ));
        }
        if *is_mid_line {
            line.insert(0, b'\n');
        }
        let written = write_once(file, &line);
        *length += written.as_ref().copied().unwrap_or_default() as u64;
        match written {
            Ok(all) if all == line.len() => {
                *is_mid_line = false;
                Ok(())
            }
            Ok(_) => Err(format!("writing {}: the disk took a part of a line", path.display())),
            Err(error) => Err(error_chain(&FileError::disk("writing", &path)(error))),
        }
    }
}

/// Refuses to write where little room is left. What a disk does not tell is no reason.
fn require_room(path: &Path, disk: nix::Result<Statvfs>) -> Result<(), String> {
    let Ok(disk) = disk else { return Ok(()) };
    let bytes = disk.blocks_available() * disk.fragment_size();
    match has_room(bytes, disk.files(), disk.files_available()) {
        true => Ok(()),
        false => Err(format!(
            "writing {}: its disk has {bytes} bytes left, and room for {} files",
            path.display(),
            disk.files_available()
        )),
    }
}

/// A disk without a limit of files has none at all.
fn has_room(bytes: u64, files: u64, files_left: u64) -> bool {
    bytes >= SPARE_BYTES && (files == 0 || files_left >= SPARE_FILES)
}

/// One write: several processes of a job append to its journal.
fn write_once(file: &mut File, line: &[u8]) -> std::io::Result<usize> {
    loop {
        match file.write(line) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => return written,
        }
    }
}

fn open(folder: &JournalFolder, key: &JobKey) -> Result<OpenedJournal, FileError> {
    let file = folder.open_to_append(key)?;
    let path = folder.journal(key);
    let refused = |error| FileError::disk("reading", &path)(error);
    let length = file.metadata().map_err(refused)?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_at(&mut last, length - 1).map_err(refused)?;
    }
    Ok(OpenedJournal::Open { file, length, is_mid_line: last != [b'\n'] })
}

impl EventSink for JournalSink {
    fn take(&self, event: &JobEvent) {
        self.append(JournalContent::Event(event.clone()));
    }

    fn take_fact(&self, fact: &JobFact) {
        self.append(JournalContent::Fact(fact.clone()));
    }
}

impl std::fmt::Debug for JournalSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalSink").field("stage", &self.stage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use fargate_events::{JobDescription, TaskFact};
    use fargate_model::cause::{CauseReport, FailureCause};
    use fargate_model::id::{RandomToken, TaskArn};

    use super::*;
    use crate::journal_reader::read_journal;

    fn sink(state: &std::path::Path, stage: &str, masker: &SharedMasker) -> JournalSink {
        let key = JobKey::from_bits([4; 32]);
        JournalSink::new(JournalFolder::of(state), key, stage.into(), masker.clone())
    }

    fn read(sink: &JournalSink) -> crate::JournalPart {
        read_journal(&sink.folder, &sink.key, 0).unwrap()
    }

    #[test]
    fn processes_append_and_a_torn_line_is_ended_by_the_next_one() {
        let state = tempfile::tempdir().unwrap();
        let masker = SharedMasker::default();
        let first = sink(state.path(), "prepare", &masker);
        first.take(&JobEvent::JobAdmitted { waited_ms: 3 });
        let path = first.folder.journal(&first.key);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"0123abcd {\"time")
            .unwrap();
        let second = sink(state.path(), "build_script", &masker);
        second.take_fact(&JobFact::StageStarted { stage: "build_script".into() });
        let part = read(&first);
        let stages: Vec<_> = part.entries.iter().map(|entry| entry.stage.as_str()).collect();
        assert_eq!(stages, ["prepare", "build_script"]);
        assert_eq!((part.damaged_lines, part.damaged_at), (1, Some(1)));
    }

    #[test]
    fn no_secret_that_the_job_knows_is_written_and_our_names_stay() {
        let state = tempfile::tempdir().unwrap();
        let masker = SharedMasker::default();
        // The last two are parts of names of ours.
        for secret in ["canary-token-1", "canary-token-2", "5a7c1e90", "ci-canary-cluster"] {
            masker.remember(secret);
        }
        let sink = sink(state.path(), "prepare", &masker);
        let task = TaskArn("arn:aws:ecs:eu-west-1:1:task/ci-canary-cluster/5a7c1e90".into());
        let launch = RandomToken::try_from("5a7c1e90".repeat(4)).unwrap();
        sink.take(&JobEvent::TaskAccepted { task: task.clone(), launch: launch.clone() });
        sink.take(&JobEvent::PrepareFailed { cause: None, message: "no canary-token-1".into() });
        let report = CauseReport::new(FailureCause::ImageDenied)
            .with("image", "acme/canary-token-2")
            .quoting("ECS", "denied: canary-token-1");
        sink.take_fact(&JobFact::Explained { report: Box::new(report), is_final: true });
        sink.take_fact(&JobFact::TaskSeen(Box::new(TaskFact {
            task: task.0.clone(),
            stop_reason: Some("because canary-token-2".into()),
            ..TaskFact::default()
        })));
        sink.take_fact(&JobFact::Described(Box::new(JobDescription {
            name: Some("deploy canary-token-1".into()),
            cluster: "ci-canary-cluster".into(),
            attempt: 2,
            ..JobDescription::default()
        })));
        let bytes = std::fs::read(sink.folder.journal(&sink.key)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("canary-token"), "{text}");
        let part = read(&sink);
        assert_eq!(part.entries.len(), 5, "{text}");
        assert_eq!(
            part.entries[0].content,
            JournalContent::Event(JobEvent::TaskAccepted { task, launch })
        );
        let JournalContent::Fact(JobFact::Described(described)) = &part.entries[4].content else {
            panic!("{:?}", part.entries[4]);
        };
        assert_eq!(described.name.as_deref(), Some("deploy [MASKED]"));
        assert_eq!((&*described.cluster, part.entries[4].attempt), ("ci-canary-cluster", 2));
    }

    #[test]
    fn an_entry_that_is_too_long_leaves_a_mark_and_the_journal_goes_on() {
        let state = tempfile::tempdir().unwrap();
        let sink = sink(state.path(), "prepare", &SharedMasker::default());
        sink.take(&JobEvent::JobAdmitted { waited_ms: 3 });
        let message = "x".repeat(LONGEST_LINE);
        sink.take(&JobEvent::PrepareFailed { cause: None, message: message.clone() });
        sink.take_fact(&JobFact::StageStarted { stage: message });
        sink.take(&JobEvent::ScriptStarted {});
        let part = read(&sink);
        let contents: Vec<_> = part.entries.iter().map(|entry| &entry.content).collect();
        let [_, JournalContent::Unknown(event), JournalContent::Unknown(fact), last] = contents[..]
        else {
            panic!("{contents:?}");
        };
        assert_eq!(
            (&event["left_out"], &fact["left_out"]),
            (&"prepare.failed".into(), &"stage_started".into())
        );
        assert!(event["bytes"].as_u64().is_some_and(|bytes| bytes > LONGEST_LINE as u64));
        assert_eq!(
            (last, part.damaged_lines),
            (&JournalContent::Event(JobEvent::ScriptStarted {}), 0)
        );
        let mut story = crate::JobStory::new("k");
        story.take_in(&part);
        assert_eq!(story.unknown_entries, 2);
    }

    #[test]
    fn the_last_room_of_a_disk_is_left_to_the_records_of_jobs() {
        assert!(has_room(SPARE_BYTES, 1_000_000, SPARE_FILES));
        assert!(has_room(SPARE_BYTES, 0, 0));
        assert!(!has_room(SPARE_BYTES - 1, 1_000_000, 1_000_000));
        assert!(!has_room(u64::MAX, 1_000_000, SPARE_FILES - 1));
    }

    #[test]
    fn a_journal_that_cannot_be_written_stops_nobody() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join(crate::JOURNALS), "not a folder").unwrap();
        let sink = sink(state.path(), "prepare", &SharedMasker::default());
        sink.take(&JobEvent::ScriptStarted {});
        sink.take(&JobEvent::ScriptEnded { status: 0 });
        let state = sink.state.lock().unwrap();
        assert!(matches!(state.journal, OpenedJournal::GivenUp));
    }
}
