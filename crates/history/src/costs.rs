//! What jobs cost, summed: by day, and by project, size or image. Money is in millionths of a US dollar, and
//! all of it is an estimate.

use crate::database::{DataRow, SqlStatement};
use crate::{HistoryError, HistoryStore, JobFilter};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Groups that one answer holds at most, dearest first. Ours.
const MOST_GROUPS: u64 = 500;
/// Missing prices that one answer names at most. Ours: there are fewer prices.
const MOST_MISSING: u64 = 20;

/// What costs are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostKey {
    /// The project.
    #[default]
    Project,
    /// The size of the task.
    Size,
    /// The image as configured.
    Image,
}

impl CostKey {
    fn column(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Size => "size",
            Self::Image => "image",
        }
    }
}

/// What some jobs cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostSum {
    /// How many jobs.
    pub jobs: u64,
    /// All of it.
    pub cost_micro_usd: u64,
    /// Of it: starts that led to a stage.
    pub start_micro_usd: u64,
    /// Of it: tasks that were alive for more than 5 s after their last stage.
    pub idle_micro_usd: u64,
    /// Of it: tasks in which no stage began.
    pub failed_micro_usd: u64,
    /// Billed time.
    pub billed_ms: u64,
    /// Of it: on Spot.
    pub spot_ms: u64,
    /// Jobs that are left out because a price is missing.
    pub unpriced_jobs: u64,
    /// Of all of it: the way of images through a NAT gateway.
    pub nat_micro_usd: u64,
}

/// One day, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostDaySum {
    /// Its start: milliseconds since 1970.
    pub at_ms: u64,
    /// What the jobs that were received on it cost.
    pub sum: CostSum,
}

/// One project, size or image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostGroupSum {
    /// Its name; `None` for jobs that have none.
    pub name: Option<String>,
    /// What its jobs cost.
    pub sum: CostSum,
}

/// Jobs that have no cost because of one price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnpricedJobs {
    /// The key of the price that is missing; `None`: the size of a task is not known.
    pub missing_price: Option<String>,
    /// How many jobs.
    pub jobs: u64,
    /// The id of the newest of them.
    pub newest: String,
}

/// What the jobs of a filter cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostStatistics {
    /// All of them.
    pub total: CostSum,
    /// Per day, oldest first. Days without jobs are left out.
    pub days: Vec<CostDaySum>,
    /// Per group, dearest first, at most 500.
    pub groups: Vec<CostGroupSum>,
}

const SUMS: &str = "COUNT(*), CAST(SUM(CASE WHEN cost > 0 THEN cost ELSE 0 END) AS BIGINT), \
     CAST(SUM(start_cost) AS BIGINT), CAST(SUM(idle_cost) AS BIGINT), CAST(SUM(failed_cost) AS BIGINT), \
     CAST(SUM(billed_ms) AS BIGINT), CAST(SUM(spot_ms) AS BIGINT), CAST(SUM(1 - is_priced) AS BIGINT), \
     CAST(SUM(nat_cost) AS BIGINT)";

impl CostSum {
    /// Part of the billed time on Spot, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    pub fn spot_share(&self) -> f64 {
        if self.billed_ms == 0 { 0.0 } else { self.spot_ms as f64 / self.billed_ms as f64 }
    }

    /// The sums, from the second column on.
    fn of(row: &DataRow) -> Result<Self, HistoryError> {
        Ok(Self {
            jobs: row.number(1)?,
            cost_micro_usd: row.number(2)?,
            start_micro_usd: row.number(3)?,
            idle_micro_usd: row.number(4)?,
            failed_micro_usd: row.number(5)?,
            billed_ms: row.number(6)?,
            spot_ms: row.number(7)?,
            unpriced_jobs: row.number(8)?,
            nat_micro_usd: row.number(9)?,
        })
    }
}

impl HistoryStore {
    /// What the jobs of this filter cost.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn costs(
        &self,
        filter: &JobFilter,
        by: CostKey,
    ) -> Result<CostStatistics, HistoryError> {
        let doing = "summing costs";
        let database = self.database().await;
        let mut total = SqlStatement::new("SELECT 0, ");
        total.push(SUMS).push(" FROM jobs");
        filter.add_to(&mut total);
        let mut days = SqlStatement::new("SELECT received_ms / ");
        days.bind(DAY_MS).push(", ").push(SUMS).push(" FROM jobs");
        filter.add_to(&mut days);
        days.push(" GROUP BY 1 ORDER BY 1");
        let mut groups = SqlStatement::new("SELECT ");
        groups.push(by.column()).push(", ").push(SUMS).push(" FROM jobs");
        filter.add_to(&mut groups);
        groups.push(" GROUP BY 1 ORDER BY 3 DESC, 2 DESC LIMIT ").bind(MOST_GROUPS);
        let day = |row: &DataRow| {
            let at_ms = row.number(0)?.saturating_mul(DAY_MS);
            Ok(CostDaySum { at_ms, sum: CostSum::of(row)? })
        };
        let group =
            |row: &DataRow| Ok(CostGroupSum { name: row.known_text(0)?, sum: CostSum::of(row)? });
        let total = database.rows(doing, &total).await?;
        let days = database.rows(doing, &days).await?;
        let groups = database.rows(doing, &groups).await?;
        Ok(CostStatistics {
            total: total.first().map(CostSum::of).transpose()?.unwrap_or_default(),
            days: days.iter().map(day).collect::<Result<_, HistoryError>>()?,
            groups: groups.iter().map(group).collect::<Result<_, HistoryError>>()?,
        })
    }

    /// Which jobs of this filter have no cost, by the price that is missing.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn unpriced(&self, filter: &JobFilter) -> Result<Vec<UnpricedJobs>, HistoryError> {
        let mut read = SqlStatement::new("SELECT missing_price, COUNT(*), MAX(number) FROM jobs");
        filter.add_to(&mut read);
        read.push(" AND is_priced = 0 GROUP BY 1 ORDER BY 2 DESC LIMIT ").bind(MOST_MISSING);
        let database = self.database().await;
        let mut found = Vec::new();
        for row in database.rows("looking for prices that are missing", &read).await? {
            let newest = SqlStatement::with(
                "SELECT id FROM jobs WHERE number = $1",
                [row.number(2)?.into()],
            );
            let newest = database.rows("looking for a job without a cost", &newest).await?;
            found.push(UnpricedJobs {
                missing_price: row.known_text(0)?,
                jobs: row.number(1)?,
                newest: newest.first().map(|row| row.text(0)).transpose()?.unwrap_or_default(),
            });
        }
        Ok(found)
    }
}
