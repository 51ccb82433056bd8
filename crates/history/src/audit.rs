//! The audit log: who launched, stopped and changed what. Entries are only added, each holds the hash of the
//! one before it, and the database itself refuses to change one.
//!
//! The hashes show that an entry was changed or left out. They are no proof against somebody who may write
//! the whole table and knows how it is made; whoever needs that exports the log to another place.

use fargate_events::{JobEvent, JobFact};
use fargate_job_journal::{JobState, JobStory, JobVerdict, JournalContent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::database::{DataRow, SqlStatement, WriteTransaction};
use crate::job_columns::job_id;
use crate::{AppliedEntry, HistoryError, HistoryStore, StoryUpdate};

/// Entries that one step of reading or removing takes. Ours.
const ENTRIES_AT_ONCE: usize = 1000;

/// Something that is to be kept for auditors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When: milliseconds since 1970.
    pub at_ms: u64,
    /// On which host.
    pub host: String,
    /// Who did it: the user of the forge who started the job, or the person who signed in.
    pub who: String,
    /// What: `task.launched`, `launch.refused`, `host.proven`, `task.stopping`, `job.ended`, or an action of a
    /// person.
    pub action: String,
    /// To what: a job's key, or a task.
    pub object: String,
    /// Everything else, without secrets.
    pub details: Value,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number, without gaps.
    pub sequence: u64,
    /// What happened.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// The hash of the entry before it.
    pub previous: String,
    /// SHA-256 over all of this, in hexadecimal.
    pub hash: String,
}

/// Whether the log is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditVerification {
    /// Entries that were looked at.
    pub entries: u64,
    /// The first entry that was changed, or before which some are missing.
    pub broken_at: Option<u64>,
}

impl HistoryStore {
    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; then what is to be audited must not be done.
    pub async fn add_audit(&self, entry: &AuditEntry) -> Result<(), HistoryError> {
        let database = self.database().await;
        let mut change = database.begin("writing to the audit log").await?;
        append_audit(&mut change, entry).await?;
        change.commit().await
    }

    /// The entries after this number, at most `limit`, in order. `serde_json` makes a line of the export of
    /// each.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn audit_after(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, HistoryError> {
        let read = SqlStatement::with(
            "SELECT sequence, at_ms, host, who, action, object, details, previous, hash FROM audit \
             WHERE sequence > $1 ORDER BY sequence LIMIT $2",
            [sequence.into(), (limit as u64).into()],
        );
        let rows = self.database().await.rows("reading the audit log", &read).await?;
        rows.iter().map(AuditRecord::of_row).collect()
    }

    /// Looks whether entries were changed or are missing.
    ///
    /// # Errors
    ///
    /// [`HistoryError`] if the log cannot be read.
    pub async fn verify_audit(&self) -> Result<AuditVerification, HistoryError> {
        // Others add and remove entries meanwhile: what is there now must be found later, and what is found first
        // may be missing only up to where entries have been removed by then.
        let (newest, _) = self.audit_ends().await?;
        let mut verification = AuditVerification { entries: 0, broken_at: None };
        let (mut first, mut last, mut hash) = (None, 0, None);
        loop {
            let records = self.audit_after(last, ENTRIES_AT_ONCE).await?;
            for record in &records {
                let follows = hash.as_ref().is_none_or(|hash| *hash == record.previous);
                let is_next = last == 0 || record.sequence == last + 1;
                if !follows || !is_next || record.hash != record.computed_hash() {
                    verification.broken_at = Some(record.sequence);
                    return Ok(verification);
                }
                verification.entries += 1;
                first = first.or(Some(record.sequence));
                last = record.sequence;
                hash = Some(record.hash.clone());
            }
            if records.len() < ENTRIES_AT_ONCE {
                break;
            }
        }
        let (_, pruned) = self.audit_ends().await?;
        verification.broken_at = match first {
            Some(first) if first > pruned + 1 => Some(first),
            _ => (newest > last.max(pruned)).then_some(last + 1),
        };
        Ok(verification)
    }

    /// The number of the newest entry, and up to which entries were removed because of their age.
    async fn audit_ends(&self) -> Result<(u64, u64), HistoryError> {
        let read = SqlStatement::new("SELECT last_sequence, pruned_through FROM audit_state");
        let rows = self.database().await.rows("reading the audit log", &read).await?;
        let row = rows
            .first()
            .ok_or(HistoryError::Damaged { doing: "reading the audit log", source: None })?;
        Ok((row.number(0)?, row.number(1)?))
    }

    /// Removes entries that are older than this, oldest first. Returns how many.
    ///
    /// # Errors
    ///
    /// [`HistoryError`]; some may be removed.
    pub async fn prune_audit(&self, before_ms: u64) -> Result<u64, HistoryError> {
        let mut removed = 0;
        loop {
            let database = self.database().await;
            let mut change = database.begin("removing old entries of the audit log").await?;
            let oldest = SqlStatement::with(
                "SELECT MAX(sequence), COUNT(*) FROM (SELECT sequence FROM audit WHERE at_ms < $1 AND sequence < \
                   (SELECT COALESCE(MIN(sequence), 9223372036854775807) FROM audit WHERE at_ms >= $1) \
                 ORDER BY sequence LIMIT $2) AS oldest",
                [before_ms.into(), (ENTRIES_AT_ONCE as u64).into()],
            );
            let rows = change.rows(&oldest).await?;
            let Some(through) = rows.first().map(|row| row.known_number(0)).transpose()?.flatten()
            else {
                change.commit().await?;
                return Ok(removed);
            };
            let allow = "UPDATE audit_state SET pruned_through = $1";
            change.execute(&SqlStatement::with(allow, [through.into()])).await?;
            let remove = "DELETE FROM audit WHERE sequence <= $1";
            removed += change.execute(&SqlStatement::with(remove, [through.into()])).await?;
            change.commit().await?;
        }
    }
}

impl AuditRecord {
    fn of_row(row: &DataRow) -> Result<Self, HistoryError> {
        let details = row.text(6)?;
        Ok(Self {
            sequence: row.number(0)?,
            entry: AuditEntry {
                at_ms: row.number(1)?,
                host: row.text(2)?,
                who: row.text(3)?,
                action: row.text(4)?,
                object: row.text(5)?,
                // What was changed so that it is no JSON any more is found by its hash.
                details: serde_json::from_str(&details).unwrap_or(Value::String(details)),
            },
            previous: row.text(7)?,
            hash: row.text(8)?,
        })
    }

    fn computed_hash(&self) -> String {
        let entry = &self.entry;
        let all = json!([
            self.sequence,
            entry.at_ms,
            entry.host,
            entry.who,
            entry.action,
            entry.object,
            entry.details,
            self.previous,
        ]);
        hex::encode(Sha256::digest(all.to_string()))
    }
}

/// Adds an entry within a transaction. Whoever holds the row of the log's end is the only one who adds.
pub(crate) async fn append_audit(
    change: &mut WriteTransaction,
    entry: &AuditEntry,
) -> Result<(), HistoryError> {
    let lock = "UPDATE audit_state SET last_sequence = last_sequence + 1 RETURNING last_sequence, last_hash";
    let rows = change.rows(&SqlStatement::new(lock)).await?;
    let row = rows
        .first()
        .ok_or(HistoryError::Damaged { doing: "writing to the audit log", source: None })?;
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    let entry = AuditEntry {
        who: text(&entry.who),
        object: text(&entry.object),
        host: text(&entry.host),
        ..entry.clone()
    };
    let (sequence, previous) = (row.number(0)?, row.text(1)?);
    let mut record = AuditRecord { sequence, entry, previous, hash: String::new() };
    record.hash = record.computed_hash();
    let entry = &record.entry;
    let insert = SqlStatement::with(
        "INSERT INTO audit (sequence, at_ms, host, who, action, object, details, previous, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            record.sequence.into(),
            entry.at_ms.into(),
            entry.host.as_str().into(),
            entry.who.as_str().into(),
            entry.action.as_str().into(),
            entry.object.as_str().into(),
            entry.details.to_string().as_str().into(),
            record.previous.as_str().into(),
            record.hash.as_str().into(),
        ],
    );
    change.execute(&insert).await?;
    let end = "UPDATE audit_state SET last_hash = $1";
    change.execute(&SqlStatement::with(end, [record.hash.as_str().into()])).await.map(drop)
}

/// What auditors want to know of an update.
pub(crate) fn audit_of(update: &StoryUpdate, was_finished: bool) -> Vec<AuditEntry> {
    let story = &update.story;
    let mut found: Vec<_> =
        update.new_entries.iter().filter_map(|applied| audit_of_entry(update, applied)).collect();
    if story.state == JobState::Finished && !was_finished {
        let verdict = story.verdict.map(JobVerdict::word);
        let at_ms = story.ended_ms.unwrap_or(story.changed_ms);
        found.push(audit_entry(update, at_ms, "job.ended", json!({ "verdict": verdict })));
    }
    found
}

fn audit_of_entry(update: &StoryUpdate, applied: &AppliedEntry) -> Option<AuditEntry> {
    let (action, more) = match &applied.entry.content {
        JournalContent::Fact(JobFact::LaunchAnswered { task: Some(task), .. }) => {
            ("task.launched", json!({ "task": task }))
        }
        JournalContent::Fact(JobFact::LaunchAnswered {
            task: None, report: Some(report), ..
        }) => ("launch.refused", json!({ "cause": report.entry().slug })),
        JournalContent::Fact(JobFact::AgentReached { proof, .. }) => {
            ("host.proven", json!({ "proof": proof }))
        }
        JournalContent::Event(JobEvent::TaskStopping { task, .. }) => {
            ("task.stopping", json!({ "task": task }))
        }
        _ => return None,
    };
    Some(audit_entry(update, applied.entry.time_ms, action, more))
}

fn audit_entry(update: &StoryUpdate, at_ms: u64, action: &str, more: Value) -> AuditEntry {
    let JobStory { key, description: about, tries, .. } = &update.story;
    let task = tries.iter().rev().find_map(|one| one.task.as_deref());
    let mut details = json!({
        "id": job_id(&update.story), "project": about.project, "ref": about.git_ref, "sha": about.sha,
        "pipeline": about.pipeline, "profile": about.profile, "image": about.image,
        "image_digest": about.image_digest, "role": about.role, "task_role": about.task_role, "task": task,
    });
    if let (Value::Object(details), Value::Object(more)) = (&mut details, more) {
        details.extend(more);
        details.retain(|_, value| !value.is_null());
    }
    AuditEntry {
        at_ms,
        host: update.host.clone(),
        // GitLab gives a number alone in what the driver trusts.
        who: about
            .user
            .clone()
            .or_else(|| about.user_id.map(|id| format!("user {id}")))
            .unwrap_or_default(),
        action: action.to_owned(),
        object: key.clone(),
        details,
    }
}
