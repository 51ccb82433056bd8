//! Which jobs a question is about.

use fargate_job_journal::JobVerdict;

use crate::database::SqlStatement;
use crate::job_columns::clean;

/// A stretch of values. Where an end is missing, it is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueRange {
    /// The first value that belongs to it.
    pub from: Option<u64>,
    /// The first value after it.
    pub below: Option<u64>,
}

/// Which jobs a question is about: those that meet all of it. An empty list leaves none out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobFilter {
    /// Received at this moment or later: milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Received before this moment.
    pub to_ms: Option<u64>,
    /// The two moments are about the end of a job and not about when it was received. A job that is not over
    /// is then left out.
    pub by_end: bool,
    /// Each word stands somewhere in job, project, branch, id or task id; case does not matter.
    pub text: Option<String>,
    /// How it ended.
    pub verdicts: Vec<JobVerdict>,
    /// Slugs of causes.
    pub causes: Vec<String>,
    /// What causes are about: an image, a secret, zones. `None`: a cause that is about nothing that is known.
    pub objects: Vec<Option<String>>,
    /// Classes of causes.
    pub classes: Vec<String>,
    /// Paths of projects.
    pub projects: Vec<String>,
    /// Images as configured.
    pub images: Vec<String>,
    /// Sizes, as [`JobRow`](crate::JobRow) has them.
    pub sizes: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Whether on Spot.
    pub spot: Option<bool>,
    /// Branches and tags.
    pub refs: Vec<String>,
    /// How long the start took, in milliseconds.
    pub start: ValueRange,
    /// How long the job lived, in milliseconds.
    pub lived: ValueRange,
    /// Estimated cost in millionths of a US dollar.
    pub cost: ValueRange,
}

/// The cause of a script that failed by itself.
const SCRIPT_FAILED: &str = "script-failed";
/// Words of the free text that are looked for. Ours.
const MOST_WORDS: usize = 8;

impl JobFilter {
    /// The same window without any filter.
    #[must_use]
    pub fn window(&self) -> Self {
        let Self { from_ms, to_ms, by_end, .. } = *self;
        Self { from_ms, to_ms, by_end, ..Self::default() }
    }

    /// The column that the window is about.
    pub(crate) fn time_column(&self) -> &'static str {
        if self.by_end { "ended_ms" } else { "received_ms" }
    }

    /// Adds `WHERE` and the conditions.
    pub(crate) fn add_to(&self, statement: &mut SqlStatement) {
        let time = self.time_column();
        statement.push(" WHERE ").push(time).push(" >= ").bind(self.from_ms.unwrap_or(0));
        if let Some(to_ms) = self.to_ms {
            statement.push(" AND ").push(time).push(" < ").bind(to_ms);
        }
        let words = self.text.as_deref().unwrap_or_default().split_whitespace();
        for word in words.take(MOST_WORDS) {
            let pattern = format!("%{}%", escape_pattern(&clean(word).to_lowercase()));
            statement.push(" AND search LIKE ").bind(pattern.as_str()).push(" ESCAPE '!'");
        }
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|verdict| verdict.word().to_owned()).collect();
        for (column, values) in [
            ("verdict", &verdicts),
            ("class", &self.classes),
            ("project", &self.projects),
            ("image", &self.images),
            ("size", &self.sizes),
            ("host", &self.hosts),
            ("git_ref", &self.refs),
        ] {
            if !values.is_empty() {
                statement.push(" AND ").push(column).push(" IN ");
                let kept: Vec<String> = values.iter().map(|value| clean(value)).collect();
                statement.bind_list(kept.iter().map(String::as_str));
            }
        }
        self.add_causes(statement);
        self.add_objects(statement);
        if let Some(spot) = self.spot {
            statement.push(" AND is_spot = ").bind(spot);
        }
        for (column, range) in
            [("start_ms", self.start), ("lived_ms", self.lived), ("cost", self.cost)]
        {
            range.add_to(statement, column);
        }
    }

    fn add_causes(&self, statement: &mut SqlStatement) {
        if self.causes.is_empty() {
            return;
        }
        statement.push(" AND (slug IN ").bind_list(self.causes.iter().map(String::as_str));
        // A script that failed by itself has no cause of its own in some stories.
        if self.causes.iter().any(|cause| cause == SCRIPT_FAILED) {
            let verdict = JobVerdict::Failed.word();
            statement.push(" OR (slug IS NULL AND verdict = ").bind(verdict).push(")");
        }
        statement.push(")");
    }

    fn add_objects(&self, statement: &mut SqlStatement) {
        if self.objects.is_empty() {
            return;
        }
        let named: Vec<String> =
            self.objects.iter().flatten().map(|object| clean(object)).collect();
        let has_none = named.len() < self.objects.len();
        statement.push(" AND (");
        if has_none {
            statement.push("object IS NULL");
        }
        if has_none && !named.is_empty() {
            statement.push(" OR ");
        }
        if !named.is_empty() {
            statement.push("object IN ").bind_list(named.iter().map(String::as_str));
        }
        statement.push(")");
    }
}

impl ValueRange {
    /// What is not known is in no range.
    fn add_to(self, statement: &mut SqlStatement, column: &str) {
        if self == Self::default() {
            return;
        }
        statement.push(" AND ").push(column).push(" >= ").bind(self.from.unwrap_or(0));
        if let Some(below) = self.below {
            statement.push(" AND ").push(column).push(" < ").bind(below);
        }
    }
}

/// A backslash means different things to the two databases, so `!` escapes.
pub(crate) fn escape_pattern(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_' | '!') {
            escaped.push('!');
        }
        escaped.push(char);
    }
    escaped
}
