//! Reads what each answer needs from the history, and assembles it. Names are hidden here, so that no
//! handler can forget it.

use std::collections::{BTreeSet, HashMap};

use fargate_history::{CostKey, FilterChoices, HistoryStore, JobFilter, PageRequest};
use fargate_job_journal::{JobState, JobStory};
use fargate_status_answers::{
    ChecksAnswer, CostAnswer, HistoryAnswer, HistoryRow, ImagesAnswer, JobAnswer, LimitRow,
    NowAnswer, RemovableFilter, StartTimeAnswer,
};

use crate::ApiProblem;
use crate::access::RequestCaller;
use crate::assemble::{
    self, CostParts, HistoryParts, NowParts, StartTimeParts, live_limits, usual_key,
};
use crate::clock::{DAY_MS, HOUR_MS, day_begin, month_begin, now_ms};
use crate::job_query::JobQuery;
use crate::status_service::{StatusService, UsualKey, unread};
use crate::{file_answers, image_answers, image_levers, name_visibility};

/// Length of the id of a task. Source: Amazon ECS, the last part of an ARN.
const TASK_ID_DIGITS: usize = 32;

/// Who asks, and what stands after `?`.
#[derive(Clone, Debug)]
pub struct AskedQuestion {
    /// The query of the URL.
    pub query: String,
    /// Whether names of private projects may be in the answer.
    pub with_names: bool,
}

/// Who reads about a job: what the answer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobReader {
    /// Whether names of private projects may be in the answer.
    with_names: bool,
    /// Whether it may say where the job's task is stopped.
    may_stop: bool,
}

impl JobReader {
    /// This caller.
    #[must_use]
    pub fn of(caller: &RequestCaller) -> Self {
        Self { with_names: caller.is_signed_in(), may_stop: caller.is_operator() }
    }
}

impl AskedQuestion {
    fn jobs(&self, window_ms: u64) -> JobQuery {
        JobQuery::parse(&self.query, now_ms(), window_ms, self.with_names)
    }
}

impl StatusService {
    /// What happens now. Without a history there is what the controller knows, and the reason.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::NoHistory`] if the history does not answer.
    pub async fn now(&self, asked: &AskedQuestion) -> Result<NowAnswer, ApiProblem> {
        let (at_ms, store) = (now_ms(), self.history()?);
        let query = asked.jobs(DAY_MS);
        let mut live = store.live().await.map_err(unread)?;
        let is_first_use = live.is_empty() && *store.sequence().borrow() == 0;
        // Quota and slots are used by all jobs, whichever the reader wants to see.
        let limits = self.limits(&live);
        live.retain(|story| {
            let about = &story.description;
            let fits = |wanted: &[String], given: Option<&String>| {
                wanted.is_empty() || given.is_some_and(|given| wanted.contains(given))
            };
            fits(&query.hosts, Some(&about.host)) && fits(&query.projects, about.project.as_ref())
        });
        let ended = |from_ms, to_ms| JobFilter {
            from_ms: Some(at_ms.saturating_sub(from_ms)),
            to_ms: Some(at_ms.saturating_sub(to_ms)),
            by_end: true,
            hosts: query.hosts.clone(),
            projects: query.projects.clone(),
            ..JobFilter::default()
        };
        let mut failures = store.failures(&ended(HOUR_MS, 0)).await.map_err(unread)?;
        let before = store.cause_sightings(&ended(7 * DAY_MS, HOUR_MS)).await.map_err(unread)?;
        let refused = store.refused(&ended(assemble::REFUSALS_MS, 0)).await.map_err(unread)?;
        let hosts = store.hosts().await.map_err(unread)?;
        let usual = self.usual_of(&store, &live, at_ms).await?;
        let starts = self.starts_of_week(&store, at_ms).await?;
        let mut admission = self.host.as_ref().map(fargate_controller::HostControl::admission);
        let mut facts = self.facts().borrow().clone();
        if !asked.with_names {
            self.names.hide_stories(&mut live);
            self.names.hide_failures(&mut failures);
            name_visibility::hide_host(admission.as_mut(), &mut facts);
        }
        let mut gitlab_runner = self.runner_numbers.borrow().clone();
        if let Some(error) = gitlab_runner.as_mut().and_then(|numbers| numbers.error.as_mut())
            && !asked.with_names
        {
            "it does not answer".clone_into(error);
        }
        let settings = &self.settings;
        let parts = NowParts {
            at_ms,
            host: &settings.host,
            region: settings.region.as_deref(),
            cluster: settings.cluster.as_deref(),
            hosts: hosts.into_iter().map(|row| row.host).collect(),
            live: &live,
            refused: &refused,
            failures: &failures,
            before: &before,
            usual: &usual,
            starts: Some(&starts),
            admission: admission.as_ref(),
            facts: &facts,
            limits,
            is_first_use,
            spot_paused_until_ms: self.spot_paused_until_ms(),
            gitlab_runner,
            newest_first: query.newest_first,
            with_names: asked.with_names,
        };
        Ok(assemble::now_answer(&parts))
    }

    /// The limits of this host and its account, with what these live jobs use of them.
    fn limits(&self, live: &[JobStory]) -> Vec<LimitRow> {
        let settings = &self.settings;
        let told = self.runner_numbers.borrow().as_ref().and_then(|numbers| numbers.concurrent);
        let slots = settings.job_slots.or(told.and_then(|slots| u32::try_from(slots).ok()));
        live_limits(live, [settings.vcpu_quota, settings.spot_vcpu_quota, slots], &settings.host)
    }

    /// Until when launches of this host leave Spot alone, in the Region where that lasts longest.
    fn spot_paused_until_ms(&self) -> Option<u64> {
        let host = self.host.as_ref()?;
        let until = self.settings.spot_limits.iter().filter_map(|(region, limits)| {
            host.capacity_paused_until(region, "FARGATE_SPOT", *limits)
        });
        until.max().map(fargate_model::moment::unix_ms)
    }

    /// Usual times of the images and sizes that start.
    async fn usual_of(
        &self,
        store: &HistoryStore,
        live: &[JobStory],
        at_ms: u64,
    ) -> Result<HashMap<UsualKey, fargate_history::UsualPhases>, ApiProblem> {
        let starting = live.iter().filter(|story| story.state == JobState::Starting);
        let keys: BTreeSet<UsualKey> = starting.map(usual_key).collect();
        let mut usual = HashMap::new();
        for key in keys {
            let phases = self.usual(store, &key, at_ms).await?;
            usual.insert(key, phases);
        }
        Ok(usual)
    }

    /// Jobs, filtered, one page.
    ///
    /// # Errors
    ///
    /// As [`StatusService::now`], and [`ApiProblem::BadParameter`] for a wrong cursor.
    pub async fn jobs(&self, asked: &AskedQuestion) -> Result<HistoryAnswer, ApiProblem> {
        let store = self.history()?;
        let query = self.with_exact_id(&store, asked.jobs(DAY_MS)).await?;
        let (filter, page) = (assemble::filter_of(&query), assemble::page_request(&query)?);
        let bucket_ms = assemble::bucket_ms(query.to_ms - query.from_ms);
        let page = store.jobs(&filter, &page).await.map_err(unread)?;
        let removable = match page.total {
            0 => self.removable_filter(&store, &query).await?,
            _ => None,
        };
        let window = filter.window();
        let parts = HistoryParts {
            buckets: store.buckets(&filter, bucket_ms).await.map_err(unread)?,
            causes: store.causes(&filter).await.map_err(unread)?,
            verdicts: store.verdicts(&filter).await.map_err(unread)?,
            choices: store.choices(&window).await.map_err(unread)?,
            query,
            page,
        };
        let mut answer = assemble::history_answer(parts);
        answer.removable = removable;
        if !asked.with_names {
            self.names.hide_history(&mut answer);
        }
        Ok(answer)
    }

    /// The filter without which most jobs match, of a question to which none does.
    async fn removable_filter(
        &self,
        store: &HistoryStore,
        query: &JobQuery,
    ) -> Result<Option<RemovableFilter>, ApiProblem> {
        let mut found: Option<RemovableFilter> = None;
        let one_row = PageRequest { limit: 1, ..PageRequest::default() };
        for (key, without) in query.without_each() {
            let page = store.jobs(&assemble::filter_of(&without), &one_row).await;
            let jobs = page.map_err(unread)?.total;
            if jobs > found.as_ref().map_or(0, |found| found.jobs) {
                found = Some(RemovableFilter { key: key.to_owned(), jobs });
            }
        }
        Ok(found)
    }

    /// The same question; one for an exact id looks at the whole history, unless its URL names a window. So somebody
    /// who pastes an id finds the job, whatever its age.
    async fn with_exact_id(
        &self,
        store: &HistoryStore,
        mut query: JobQuery,
    ) -> Result<JobQuery, ApiProblem> {
        let Some(word) = query.text.clone().filter(|text| !text.contains(char::is_whitespace))
        else {
            return Ok(query);
        };
        let word = word.trim_matches('"').to_owned();
        if query.names_window || word.contains('\0') {
            return Ok(query);
        }
        let found = store.find(&word).await.map_err(unread)?;
        let is_old = |story: &JobStory| story.received_ms < query.from_ms;
        // The id of a task is no id of a job, but is in the text of its job.
        let is_task = word.len() == TASK_ID_DIGITS && word.bytes().all(|it| it.is_ascii_hexdigit());
        if found.iter().any(is_old) || (found.is_empty() && is_task) {
            query.look_at_all(&word);
        }
        // A key is in no text.
        if let [one] = found.as_slice()
            && one.key.starts_with(&word.to_ascii_lowercase())
            && !one.description.id.is_empty()
        {
            query.text = Some(one.description.id.clone());
        }
        Ok(query)
    }

    /// The rows of one page of jobs, and where the next page begins.
    ///
    /// # Errors
    ///
    /// As [`StatusService::jobs`].
    pub async fn job_rows(
        &self,
        asked: &AskedQuestion,
    ) -> Result<(Vec<HistoryRow>, Option<String>), ApiProblem> {
        let store = self.history()?;
        let query = self.with_exact_id(&store, asked.jobs(DAY_MS)).await?;
        let (filter, page) = (assemble::filter_of(&query), assemble::page_request(&query)?);
        let page = store.jobs(&filter, &page).await.map_err(unread)?;
        let mut answer = assemble::history_answer(HistoryParts {
            query,
            page,
            buckets: Vec::new(),
            causes: Vec::new(),
            verdicts: Vec::new(),
            choices: FilterChoices::default(),
        });
        if !asked.with_names {
            self.names.hide_history(&mut answer);
        }
        Ok((answer.rows, answer.next))
    }

    /// The one job that `given` can mean.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::UnknownJob`] or [`ApiProblem::AmbiguousJob`].
    pub async fn story(&self, given: &str) -> Result<JobStory, ApiProblem> {
        let mut found = self.stories(given).await?;
        match found.len() {
            0 => Err(ApiProblem::unknown_job(given)),
            1 => Ok(found.remove(0)),
            count => Err(ApiProblem::AmbiguousJob {
                given: fargate_model::text::escape_within(given, 80),
                count,
                names: found
                    .iter()
                    .take(5)
                    .map(|story| format!("{} ({})", story.description.id, short(&story.key)))
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// All jobs that `given` can mean.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::NoHistory`] if the history does not answer.
    pub async fn stories(&self, given: &str) -> Result<Vec<JobStory>, ApiProblem> {
        // A NUL is no part of any id, and PostgreSQL refuses it.
        if given.is_empty() || given.len() > 200 || given.contains('\0') {
            return Ok(Vec::new());
        }
        self.history()?.find(given).await.map_err(unread)
    }

    /// Ids that are like one that no job has.
    ///
    /// # Errors
    ///
    /// As [`StatusService::stories`].
    pub async fn near_ids(&self, given: &str) -> Result<Vec<String>, ApiProblem> {
        if given.len() > 200 || given.contains('\0') {
            return Ok(Vec::new());
        }
        self.history()?.near_ids(given).await.map_err(unread)
    }

    /// One job. `attempt`: which try is shown, from 1; the last one unless it is given.
    ///
    /// # Errors
    ///
    /// As [`StatusService::story`].
    pub async fn job(
        &self,
        given: &str,
        attempt: Option<u32>,
        reader: JobReader,
    ) -> Result<JobAnswer, ApiProblem> {
        let (story, store, at_ms) = (self.story(given).await?, self.history()?, now_ms());
        let events = store.events_of(&story.key).await.map_err(unread)?;
        let key = usual_key(&story);
        let usual = self.usual(&store, &key, at_ms).await?;
        let same_cause = self.same_cause(&store, &story, at_ms).await?;
        let mut answer =
            assemble::job_answer(&story, &events, &usual, (at_ms, attempt, same_cause));
        if self.settings.is_demo {
            // The local cloud has no console.
            answer.console_url = None;
        }
        if reader.may_stop && self.stops().is_some() {
            answer.stop_path = assemble::stop_path(&story, &answer, &self.settings.host);
        }
        if !reader.with_names {
            self.names.hide_job(&mut answer);
        }
        Ok(answer)
    }

    /// Other jobs of the last 24 hours with the cause of this one.
    async fn same_cause(
        &self,
        store: &HistoryStore,
        story: &JobStory,
        at_ms: u64,
    ) -> Result<u64, ApiProblem> {
        let cause = story.tries.iter().rev().find_map(|one| one.causes.first());
        let Some(slug) = cause.map(|report| report.entry().slug) else { return Ok(0) };
        let filter = JobFilter {
            from_ms: Some(at_ms.saturating_sub(DAY_MS)),
            causes: vec![slug.to_owned()],
            ..JobFilter::default()
        };
        let causes = store.causes(&filter).await.map_err(unread)?;
        Ok(causes.iter().map(|(_, n)| *n).sum::<u64>().saturating_sub(1))
    }

    /// How long starts take.
    ///
    /// # Errors
    ///
    /// As [`StatusService::now`].
    pub async fn start_time(&self, asked: &AskedQuestion) -> Result<StartTimeAnswer, ApiProblem> {
        let (query, store) = (asked.jobs(DAY_MS), self.history()?);
        let filter = assemble::filter_of(&query);
        let week = JobFilter {
            from_ms: Some(query.from_ms.saturating_sub(7 * DAY_MS)),
            to_ms: Some(query.from_ms),
            ..filter.clone()
        };
        let parts = StartTimeParts {
            now: store.starts(&filter).await.map_err(unread)?,
            before: store.starts(&week).await.map_err(unread)?,
            choices: store.choices(&filter.window()).await.map_err(unread)?,
            query,
        };
        let mut answer = assemble::start_time_answer(parts);
        image_levers::add_levers(&self.settings, &mut answer);
        if !asked.with_names {
            self.names.hide_start_time(&mut answer);
        }
        Ok(answer)
    }

    /// What jobs cost.
    ///
    /// # Errors
    ///
    /// As [`StatusService::now`].
    pub async fn cost(&self, asked: &AskedQuestion) -> Result<CostAnswer, ApiProblem> {
        let (at_ms, store) = (now_ms(), self.history()?);
        let query = asked.jobs(at_ms - month_begin(at_ms) + 1);
        let (filter, by) = (assemble::filter_of(&query), query.by.clone());
        let (key, by) = match by.as_deref() {
            Some("size") => (CostKey::Size, "size"),
            Some("image") => (CostKey::Image, "image"),
            _ => (CostKey::Project, "project"),
        };
        let length = query.to_ms - query.from_ms;
        let before = JobFilter {
            from_ms: Some(query.from_ms.saturating_sub(length)),
            to_ms: Some(query.from_ms),
            ..filter.clone()
        };
        let since = |from_ms| JobFilter {
            from_ms: Some(from_ms),
            to_ms: Some(at_ms + 1),
            ..filter.clone()
        };
        let costs = async |filter: &JobFilter| store.costs(filter, key).await.map_err(unread);
        let prices = &self.settings.prices;
        let parts = CostParts {
            by: by.to_owned(),
            window: costs(&filter).await?,
            before: costs(&before).await?,
            today: costs(&since(day_begin(at_ms))).await?.total,
            month: costs(&since(month_begin(at_ms))).await?.total,
            price_age_days: crate::clock::parse_moment(&format!("{}T00:00:00Z", prices.date))
                .map_or(0, |date| at_ms.saturating_sub(date) / DAY_MS),
            price_date: prices.date.clone(),
            price_region: prices.region.clone(),
            unpriced: store.unpriced(&filter).await.map_err(unread)?,
            image_through_nat: prices.image_through_nat,
            query,
        };
        let mut answer = assemble::cost_answer(parts);
        if !asked.with_names {
            self.names.hide_cost(&mut answer);
        }
        Ok(answer)
    }

    /// Images of this configuration, or the one of this name. Without `with_names` the names of images are hidden.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::UnknownImage`] if this configuration manages no image of that name. A manifest that
    /// cannot be read is said in the answer.
    pub async fn images(
        &self,
        name: Option<&str>,
        with_names: bool,
    ) -> Result<ImagesAnswer, ApiProblem> {
        let mut settings = self.settings.clone();
        if let Some(name) = name {
            settings.images.retain(|image| image.name == name);
            // A guest does not learn which names there are.
            if settings.images.is_empty() || !with_names {
                return Err(ApiProblem::unknown_image(name));
            }
        }
        let running = match self.history() {
            Ok(store) => store.live().await.map_err(unread)?,
            Err(_) => Vec::new(),
        };
        let mut answer = image_answers::images(&settings, &running, std::time::SystemTime::now());
        if !with_names {
            name_visibility::hide_images(&mut answer);
        }
        Ok(answer)
    }

    /// Whether network, rights, storage and images are as a job needs them. Without `with_names` it tells how each
    /// check ended and nothing else.
    #[must_use]
    pub fn checks(&self, with_names: bool) -> ChecksAnswer {
        let mut answer =
            file_answers::checks(&self.settings.checks_file, &self.settings.config_file);
        if !with_names {
            name_visibility::hide_checks(&mut answer);
        }
        answer
    }
}

/// The beginning of a key.
pub(crate) fn short(key: &str) -> &str {
    key.get(..8).unwrap_or(key)
}
