//! Jobs counted: over time, by cause, and what a filter can choose from.

use fargate_model::cause::CauseReport;

use crate::database::SqlStatement;
use crate::{HistoryError, HistoryStore, JobFilter};

/// Choices that a menu offers at most. Ours.
const MOST_CHOICES: u64 = 200;
/// Failures that one question reads at most. Ours: far more than an hour brings.
const MOST_FAILURES: u64 = 5_000;
/// Verdicts that count as a failure; a cancelled job did not fail.
const IS_FAILED: &str = "verdict IN ('failed', 'system_failure', 'timed_out')";

/// Jobs that were received, or that ended, in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobBucket {
    /// Its start: milliseconds since 1970.
    pub at_ms: u64,
    /// All jobs.
    pub jobs: u64,
    /// Of these, failed ones.
    pub failed: u64,
}

/// What a filter can choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterChoices {
    /// Projects, by name.
    pub projects: Vec<String>,
    /// Images.
    pub images: Vec<String>,
    /// Sizes.
    pub sizes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
}

/// A job that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRow {
    /// Its cause, if one is known.
    pub slug: Option<String>,
    /// What the cause is about: the image, the secret, the zones.
    pub object: Option<String>,
    /// The job's key.
    pub key: String,
    /// The job's id.
    pub id: String,
    /// The job's project.
    pub project: Option<String>,
    /// When it was over.
    pub at_ms: u64,
    /// Whether a script is not to blame.
    pub is_system: bool,
    /// The whole cause.
    pub report: Option<CauseReport>,
}

/// How often a cause with one object was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseSighting {
    /// The cause.
    pub slug: String,
    /// What it is about.
    pub object: Option<String>,
    /// Jobs that it failed.
    pub jobs: u64,
    /// The end of the first of them: milliseconds since 1970.
    pub first_ms: u64,
    /// The end of the last of them.
    pub last_ms: u64,
}

impl HistoryStore {
    /// Jobs over time, by the moment that the filter's window is about. Stretches without jobs are left out.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn buckets(
        &self,
        filter: &JobFilter,
        bucket_ms: u64,
    ) -> Result<Vec<JobBucket>, HistoryError> {
        let bucket_ms = bucket_ms.max(1);
        let mut read = SqlStatement::new("SELECT ");
        read.push(filter.time_column()).push(" / ").bind(bucket_ms);
        read.push(", COUNT(*), SUM(CASE WHEN ").push(IS_FAILED);
        read.push(" THEN 1 ELSE 0 END) FROM jobs");
        filter.add_to(&mut read);
        read.push(" GROUP BY 1 ORDER BY 1");
        let rows = self.database().await.rows("counting jobs over time", &read).await?;
        let bucket = |row: &crate::database::DataRow| {
            Ok(JobBucket {
                at_ms: row.number(0)?.saturating_mul(bucket_ms),
                jobs: row.number(1)?,
                failed: row.number(2)?,
            })
        };
        rows.iter().map(bucket).collect()
    }

    /// Causes with the number of their jobs, most first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn causes(&self, filter: &JobFilter) -> Result<Vec<(String, u64)>, HistoryError> {
        let mut read = SqlStatement::new("SELECT slug, COUNT(*) FROM jobs");
        filter.add_to(&mut read);
        read.push(" AND slug IS NOT NULL GROUP BY slug");
        let rows = self.database().await.rows("counting causes", &read).await?;
        let mut causes = rows
            .iter()
            .map(|row| Ok((row.text(0)?, row.number(1)?)))
            .collect::<Result<Vec<_>, HistoryError>>()?;
        causes.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        Ok(causes)
    }

    /// How the jobs ended, with their numbers, most first; jobs that are not over are left out.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn verdicts(
        &self,
        filter: &JobFilter,
    ) -> Result<Vec<(fargate_job_journal::JobVerdict, u64)>, HistoryError> {
        let mut read = SqlStatement::new("SELECT verdict, COUNT(*) FROM jobs");
        filter.add_to(&mut read);
        read.push(" AND verdict IS NOT NULL GROUP BY verdict ORDER BY 2 DESC");
        let rows = self.database().await.rows("counting verdicts", &read).await?;
        let mut verdicts = Vec::new();
        for row in rows {
            let verdict = crate::job_columns::verdict_of(&row.text(0)?);
            verdicts.extend(
                verdict.map(|verdict| row.number(1).map(|jobs| (verdict, jobs))).transpose()?,
            );
        }
        Ok(verdicts)
    }

    /// What the jobs of the filter's window have: at most 200 of each, those with most jobs.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn choices(&self, filter: &JobFilter) -> Result<FilterChoices, HistoryError> {
        Ok(FilterChoices {
            projects: self.choices_of("project", filter).await?,
            images: self.choices_of("image", filter).await?,
            sizes: self.choices_of("size", filter).await?,
            hosts: self.choices_of("host", filter).await?,
        })
    }

    async fn choices_of(
        &self,
        column: &'static str,
        filter: &JobFilter,
    ) -> Result<Vec<String>, HistoryError> {
        let mut read = SqlStatement::new("SELECT ");
        read.push(column).push(", COUNT(*) FROM jobs");
        filter.window().add_to(&mut read);
        for part in [" AND ", column, " IS NOT NULL GROUP BY ", column, " ORDER BY 2 DESC LIMIT "] {
            read.push(part);
        }
        read.bind(MOST_CHOICES);
        let rows = self.database().await.rows("reading what can be filtered", &read).await?;
        let mut choices =
            rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, HistoryError>>()?;
        choices.sort();
        Ok(choices)
    }

    /// Jobs of the filter that failed, those that ended last first, at most 5,000.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn failures(&self, filter: &JobFilter) -> Result<Vec<FailureRow>, HistoryError> {
        let mut read = SqlStatement::new(
            "SELECT slug, object, key, id, project, ended_ms, verdict, report \
             FROM jobs JOIN stories USING (number)",
        );
        filter.add_to(&mut read);
        read.push(" AND ").push(IS_FAILED);
        read.push(" ORDER BY ended_ms DESC, jobs.number DESC LIMIT ").bind(MOST_FAILURES);
        let rows = self.database().await.rows("reading failures", &read).await?;
        let failure = |row: &crate::database::DataRow| {
            let report = row.known_text(7)?;
            Ok(FailureRow {
                slug: row.known_text(0)?,
                object: row.known_text(1)?,
                key: row.text(2)?,
                id: row.text(3)?,
                project: row.known_text(4)?,
                at_ms: row.number(5)?,
                is_system: row.text(6)? == "system_failure",
                report: report.and_then(|report| serde_json::from_str(&report).ok()),
            })
        };
        rows.iter().map(failure).collect()
    }

    /// Which causes failed jobs of the filter: whether a failure of now is new.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn cause_sightings(
        &self,
        filter: &JobFilter,
    ) -> Result<Vec<CauseSighting>, HistoryError> {
        let mut read = SqlStatement::new(
            "SELECT slug, object, COUNT(*), MIN(ended_ms), MAX(ended_ms) FROM jobs",
        );
        filter.add_to(&mut read);
        read.push(" AND slug IS NOT NULL AND ");
        read.push(IS_FAILED)
            .push(" GROUP BY slug, object ORDER BY 5 DESC LIMIT ")
            .bind(MOST_FAILURES);
        let rows = self.database().await.rows("reading former failures", &read).await?;
        let sighting = |row: &crate::database::DataRow| {
            Ok(CauseSighting {
                slug: row.text(0)?,
                object: row.known_text(1)?,
                jobs: row.number(2)?,
                first_ms: row.number(3)?,
                last_ms: row.number(4)?,
            })
        };
        rows.iter().map(sighting).collect()
    }
}
