//! What somebody must act on now: causes that many jobs meet, and conditions of the host. The notifier decides
//! what of it is told.
//!
//! Names of private projects are hidden here unless the configuration lets messages hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use fargate_notifier::{HOST_CLASS, NoticeRules, OpenCondition, SeenConditions};
use fargate_state::JobAdmission;
use fargate_status_answers::WhyAnswer;
use tokio::time::Instant;

use crate::assemble::{report_of_live, why_of_failure};
use crate::clock::now_ms;
use crate::status_service::unread;
use crate::{ApiProblem, LiveFacts, StatusService, image_answers, name_visibility};

/// ECS, or the history, may be silent for so long before it is told. Ours: a restart takes less.
const SILENCE: Duration = Duration::from_mins(1);
/// Orphans are told for so long after the last one was stopped. Ours.
const ORPHANS_FOR: Duration = Duration::from_mins(10);
/// Names of projects that one message holds.
const MOST_NAMES: usize = 10;

/// What is compared from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct ConditionMemory {
    /// Since when there is no history, with when that was by the host's clock.
    no_history: Option<(Instant, u64)>,
    orphans: u64,
    orphans_day_ms: u64,
    last_orphan: Option<(Instant, u64, u64)>,
}

/// The jobs of one cause.
struct CauseJobs {
    why: WhyAnswer,
    jobs: BTreeSet<String>,
    projects: BTreeSet<String>,
    first_ms: u64,
}

impl StatusService {
    /// What is open now.
    pub(crate) async fn open_conditions(
        &self,
        rules: &NoticeRules,
        memory: &mut ConditionMemory,
    ) -> SeenConditions {
        let at_ms = now_ms();
        let causes = self.open_causes(rules, at_ms).await;
        let mut facts = self.facts().borrow().clone();
        let mut admission = self.host.as_ref().map(fargate_controller::HostControl::admission);
        if !rules.settings.project_names {
            name_visibility::hide_host(admission.as_mut(), &mut facts);
        }
        let mut open: Vec<OpenCondition> = Vec::new();
        open.extend(ecs_silent(&facts, at_ms));
        open.extend(memory.history(causes.as_ref().err(), rules, at_ms));
        open.extend(memory.orphans(&facts, at_ms));
        open.extend(admission.and_then(|it| intake(&it, rules.settings.paused_after, at_ms)));
        open.extend(self.image_drift(at_ms));
        let are_causes_known = causes.is_ok();
        open.extend(causes.unwrap_or_default());
        SeenConditions { open, are_causes_known }
    }

    /// Causes that jobs met lately, and those for which jobs wait.
    async fn open_causes(
        &self,
        rules: &NoticeRules,
        at_ms: u64,
    ) -> Result<Vec<OpenCondition>, ApiProblem> {
        let window = u64::try_from(rules.settings.quiet_after.as_millis()).unwrap_or(u64::MAX);
        let store = self.history()?;
        let from_ms = at_ms.saturating_sub(window);
        let ended = fargate_history::JobFilter {
            from_ms: Some(from_ms),
            by_end: true,
            ..fargate_history::JobFilter::default()
        };
        let mut failures = store.failures(&ended).await.map_err(unread)?;
        let mut live = store.live().await.map_err(unread)?;
        if !rules.settings.project_names {
            self.names.hide_failures(&mut failures);
            self.names.hide_stories(&mut live);
        }
        let mut causes: BTreeMap<String, CauseJobs> = BTreeMap::new();
        let mut met = |why: WhyAnswer, key: &str, project: Option<&str>, met_ms: u64| {
            let cause = causes.entry(why.slug.clone()).or_insert_with(|| CauseJobs {
                why,
                jobs: BTreeSet::new(),
                projects: BTreeSet::new(),
                first_ms: met_ms,
            });
            cause.jobs.insert(key.to_owned());
            cause.projects.extend(project.map(str::to_owned));
            cause.first_ms = cause.first_ms.min(met_ms);
        };
        for row in failures.iter().filter(|row| row.at_ms >= from_ms) {
            met(why_of_failure(row), &row.key, row.project.as_deref(), row.at_ms);
        }
        for story in &live {
            if let Some((report, met_ms)) = report_of_live(story) {
                let project = story.description.project.as_deref();
                met(WhyAnswer::of(report), &story.key, project, met_ms);
            }
        }
        let condition = |cause| self.of_cause(cause, rules);
        Ok(causes.into_values().map(condition).collect())
    }

    fn of_cause(&self, cause: CauseJobs, rules: &NoticeRules) -> OpenCondition {
        let CauseJobs { why, jobs, projects, first_ms } = cause;
        let may_name = |project: &&String| {
            rules.settings.project_names || self.names.is_public(Some(project.as_str()))
        };
        let names = projects.iter().filter(may_name).take(MOST_NAMES);
        OpenCondition {
            path: format!("/history?cause={}&last=24h", why.slug),
            project_names: names.cloned().collect(),
            name: why.slug,
            class: why.class,
            headline: why.headline,
            jobs: jobs.len() as u64,
            projects: projects.len() as u64,
            since_ms: first_ms,
            action: why.action,
            command: why.command,
            is_enough: jobs.len() >= usize::try_from(rules.settings.after_jobs).unwrap_or(1),
        }
    }

    /// A managed image whose manifest needs somebody.
    fn image_drift(&self, at_ms: u64) -> Option<OpenCondition> {
        let images = image_answers::images(&self.settings, &[], SystemTime::now());
        let grave = images.drift.into_iter().find(|row| row.severity != "info")?;
        let since_ms = grave.since_ms.unwrap_or(at_ms);
        let mut open = of_host("image-drift", grave.text, since_ms, "/images");
        open.command = grave.command;
        Some(open)
    }
}

fn of_host(name: &str, headline: String, since_ms: u64, path: &str) -> OpenCondition {
    OpenCondition {
        name: name.to_owned(),
        class: HOST_CLASS.to_owned(),
        headline,
        since_ms,
        path: path.to_owned(),
        is_enough: true,
        ..OpenCondition::default()
    }
}

fn ecs_silent(facts: &LiveFacts, at_ms: u64) -> Option<OpenCondition> {
    let since_ms = facts.ecs_silent_since_ms?;
    let is_long = u128::from(at_ms.saturating_sub(since_ms)) >= SILENCE.as_millis();
    let words = facts.ecs_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    is_long.then(|| of_host("ecs-silent", format!("ECS does not answer{words}"), since_ms, "/"))
}

fn intake(admission: &JobAdmission, after: Duration, at_ms: u64) -> Option<OpenCondition> {
    match admission {
        JobAdmission::Open => None,
        JobAdmission::Held(hold) => {
            let since_ms = hold.since_unix_s.saturating_mul(1000);
            let is_long = u128::from(at_ms.saturating_sub(since_ms)) >= after.as_millis();
            let note = match hold.note.as_str() {
                "" => String::new(),
                note => format!(" ({note})"),
            };
            let headline = format!("new jobs are held by {}{note}", hold.who);
            let open = || {
                let mut open = of_host("intake-paused", headline, since_ms, "/");
                open.command = Some("fargate-runner resume".to_owned());
                open
            };
            is_long.then(open)
        }
        JobAdmission::Unreadable { path, .. } => {
            let headline = format!("new jobs are held: {} cannot be read", path.display());
            Some(of_host("intake-paused", headline, at_ms, "/"))
        }
    }
}

impl ConditionMemory {
    /// Whether there was no history for too long.
    fn history(
        &mut self,
        problem: Option<&ApiProblem>,
        rules: &NoticeRules,
        at_ms: u64,
    ) -> Option<OpenCondition> {
        let Some(problem) = problem else {
            self.no_history = None;
            return None;
        };
        let (since, since_ms) = *self.no_history.get_or_insert((Instant::now(), at_ms));
        // The words may name the place of the database.
        let words = match rules.settings.project_names {
            true => format!(": {problem}"),
            false => String::new(),
        };
        let headline = format!("the history cannot be read{words}");
        (since.elapsed() >= SILENCE).then(|| of_host("history-unreadable", headline, since_ms, "/"))
    }

    /// Whether orphans were stopped a moment ago.
    fn orphans(&mut self, facts: &LiveFacts, at_ms: u64) -> Option<OpenCondition> {
        let before = match self.orphans_day_ms == facts.orphans_day_ms {
            true => self.orphans,
            false => 0,
        };
        let new = facts.orphans_stopped.saturating_sub(before);
        (self.orphans, self.orphans_day_ms) = (facts.orphans_stopped, facts.orphans_day_ms);
        let recent = self.last_orphan.filter(|(last, ..)| last.elapsed() < ORPHANS_FOR);
        let (since_ms, count) = recent.map_or((at_ms, 0), |(_, since_ms, count)| (since_ms, count));
        self.last_orphan = match new {
            0 => recent,
            new => Some((Instant::now(), since_ms, count + new)),
        };
        let (_, since_ms, count) = self.last_orphan?;
        let tasks = if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
        let was = if count == 1 { "was" } else { "were" };
        let headline = format!("{tasks} that no job needed {was} stopped");
        Some(of_host("orphans", headline, since_ms, "/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_state::{JobHold, JobHoldKind};

    #[test]
    fn a_hold_is_told_once_it_is_long() {
        let hold = JobHold::now(JobHoldKind::Pause, "anna", "new disk");
        let since_ms = hold.since_unix_s * 1000;
        let held = JobAdmission::Held(hold);
        let after = Duration::from_mins(60);
        assert_eq!(intake(&held, after, since_ms + 3_599_000), None);
        let open = intake(&held, after, since_ms + 3_600_000).unwrap();
        assert_eq!(open.headline, "new jobs are held by anna (new disk)");
        assert_eq!(intake(&JobAdmission::Open, after, since_ms), None);
    }

    #[tokio::test(start_paused = true)]
    async fn orphans_are_told_for_a_while_and_counted_over_midnight() {
        let mut memory = ConditionMemory::default();
        let facts = |orphans_stopped, orphans_day_ms| LiveFacts {
            orphans_stopped,
            orphans_day_ms,
            ..LiveFacts::default()
        };
        assert_eq!(memory.orphans(&facts(0, 1), 10), None);
        let one = memory.orphans(&facts(1, 1), 20).unwrap();
        assert_eq!(one.headline, "1 task that no job needed was stopped");
        let two = memory.orphans(&facts(1, 2), 30).unwrap();
        assert_eq!(
            (two.headline.as_str(), two.since_ms),
            ("2 tasks that no job needed were stopped", 20)
        );
        tokio::time::advance(ORPHANS_FOR).await;
        assert_eq!(memory.orphans(&facts(1, 2), 40), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_history_that_is_away_for_a_moment_is_not_told() {
        let mut memory = ConditionMemory::default();
        let rules = NoticeRules::default();
        let problem = ApiProblem::NoHistory("locked at /secret/place".to_owned());
        assert_eq!(memory.history(Some(&problem), &rules, 5), None);
        tokio::time::advance(SILENCE).await;
        let open = memory.history(Some(&problem), &rules, 99).unwrap();
        assert_eq!((open.headline.as_str(), open.since_ms), ("the history cannot be read", 5));
        assert_eq!(memory.history(None, &rules, 99), None);
    }
}
