//! The screen of `tasks list --watch`: what stands on it, and what its keys do. How a list answers keys is known to
//! `fargate-terminal`.

use std::pin::Pin;

use fargate_controller::TaskListing;
use fargate_controller::host_jobs::KnownJob;
use fargate_driver::daemon::ListedTask;
use fargate_fail_point::FailPoint;
use fargate_model::text::escape;
use fargate_terminal::{
    AlternateScreen, LIST_GUTTER, ListKey, ListRequest, ListView, TerminalSize, stdout_size, wrap,
};

use crate::hold_command::who;
use crate::streams::unwritten;
use crate::tasks_output::{self as output, WatchedRow};
use crate::tasks_site::TasksSite;

/// The screen and what a person did with it.
pub struct TaskScreen<'a> {
    site: &'a TasksSite,
    screen: AlternateScreen,
    view: ListView,
    /// What the last look put above the table. Keys draw what was found; only a look reads records and journals.
    above: Vec<String>,
    /// The rows of the last look, also those that the filter hides.
    rows: Vec<WatchedRow>,
    stopping: Option<StopInProgress<'a>>,
    has_keys: bool,
}

/// A stop that ECS has not accepted yet.
struct StopInProgress<'a> {
    /// The task's short id, escaped.
    task: String,
    /// What became of it, in words.
    outcome: Pin<Box<dyn Future<Output = String> + 'a>>,
}

impl<'a> TaskScreen<'a> {
    /// Takes the terminal's screen until the value is dropped. Without keys the line that lists them is missing.
    ///
    /// # Errors
    ///
    /// In words, if the terminal takes nothing.
    pub fn open(site: &'a TasksSite, has_keys: bool) -> Result<Self, String> {
        let screen = AlternateScreen::on_stdout().map_err(unwritten)?;
        Ok(Self {
            site,
            screen,
            view: ListView::default(),
            above: Vec::new(),
            rows: Vec::new(),
            stopping: None,
            has_keys,
        })
    }

    /// Whether the person wants nothing to change.
    pub fn is_paused(&self) -> bool {
        self.view.is_paused()
    }

    /// Draws what this look found.
    ///
    /// # Errors
    ///
    /// In words, if the state folder cannot be read or the terminal takes nothing.
    pub fn show(&mut self, listing: &TaskListing) -> Result<(), String> {
        let jobs = self.site.jobs()?;
        let live = output::live_tasks(listing, &jobs);
        let seen: Vec<KnownJob> = output::shown_jobs(&live, &jobs).cloned().collect();
        let stories = self.site.stories(&seen);
        let waiting = output::waiting_jobs(listing, &jobs);
        self.above = vec![output::head(self.site.host(), listing, waiting.len())];
        self.above.extend(output::attention(&waiting, &stories));
        self.above.push(String::new());
        self.rows = output::watched_rows(&live, &waiting, &stories);
        self.draw()
    }

    /// Draws the last look again.
    ///
    /// # Errors
    ///
    /// In words, if the terminal takes nothing.
    pub fn draw(&mut self) -> Result<(), String> {
        let size = stdout_size().unwrap_or(TerminalSize::USUAL);
        let kept = self.kept_rows();
        let ids: Vec<String> = kept.iter().map(|row| row.id()).collect();
        let table = output::watched_table(&kept, size.columns.saturating_sub(LIST_GUTTER));
        let mut lines = self.view.lines(&self.above, (&table, &ids), size);
        if !self.has_keys {
            lines.pop();
        }
        self.screen.draw(&lines, size).map_err(unwritten)?;
        FailPoint::ScreenDrawn.reached();
        Ok(())
    }

    /// The rows that the filter keeps, in order.
    fn kept_rows(&self) -> Vec<&WatchedRow> {
        self.rows.iter().filter(|row| self.view.keeps(&row.text())).collect()
    }

    fn row(&self, id: &str) -> Option<&WatchedRow> {
        self.rows.iter().find(|row| row.id() == id)
    }

    /// Does what a key asks for; whether the view is to end.
    ///
    /// # Errors
    ///
    /// In words, if the terminal takes nothing.
    pub fn press(&mut self, key: ListKey) -> Result<bool, String> {
        let ids: Vec<String> = self.kept_rows().iter().map(|row| row.id()).collect();
        match self.view.press(key, &ids) {
            ListRequest::Quit => return Ok(true),
            ListRequest::Draw => {}
            ListRequest::Why(id) => self.show_why(&id),
            ListRequest::AskStop(id) => self.ask_stop(&id),
            ListRequest::Stop(id) => self.begin_stop(&id),
        }
        self.draw()?;
        Ok(false)
    }

    fn show_why(&mut self, id: &str) {
        let columns = stdout_size().unwrap_or(TerminalSize::USUAL).columns;
        let why = match self.row(id).and_then(|row| row.job.as_ref()) {
            Some(job) => self.site.why(&job.key, columns),
            None => Err("no record of this host names the job of this task".to_owned()),
        };
        match why {
            Ok(text) => self.view.show(wrap(&text, columns)),
            Err(words) => self.view.tell(escape(&words)),
        }
    }

    fn ask_stop(&mut self, id: &str) {
        if let Some(StopInProgress { task, .. }) = &self.stopping {
            return self
                .view
                .tell(format!("wait: ECS has not yet accepted the stop of task {task}"));
        }
        match self.row(id).and_then(WatchedRow::stop_question) {
            Some(words) => self.view.ask(id.to_owned(), words),
            None => self.view.tell("this job has no task yet".to_owned()),
        }
    }

    /// Begins to stop the task with this ARN; [`TaskScreen::stop_ended`] goes on with it.
    fn begin_stop(&mut self, arn: &str) {
        // A look may have come between the question and its answer.
        let Some(task) = self.row(arn).and_then(|row| row.task.clone()) else {
            return self.view.tell("the task is over".to_owned());
        };
        let short = escape(&task.seen.task.short());
        self.view.tell(format!("stopping task {short}..."));
        let outcome = Box::pin(stop(self.site, task));
        self.stopping = Some(StopInProgress { task: short, outcome });
    }

    /// What became of the stop in progress, in words; never, while there is none. If the future is dropped, the stop is
    /// only held up.
    pub async fn stop_ended(&mut self) -> String {
        let Some(stopping) = &mut self.stopping else { return std::future::pending().await };
        let words = stopping.outcome.as_mut().await;
        self.stopping = None;
        words
    }

    /// The task that the end of the view keeps from being stopped, perhaps: its short id, escaped.
    pub fn task_being_stopped(&self) -> Option<&str> {
        self.stopping.as_ref().map(|stopping| stopping.task.as_str())
    }

    /// Tells something in the last line.
    ///
    /// # Errors
    ///
    /// In words, if the terminal takes nothing.
    pub fn tell(&mut self, words: String) -> Result<(), String> {
        self.view.tell(words);
        self.draw()
    }
}

/// Stops the task; what became of that, in words.
async fn stop(site: &TasksSite, task: ListedTask) -> String {
    let short = escape(&task.seen.task.short());
    let kept = site.keep_stop(&task);
    match site.tasks.stop(&task, &who()).await {
        Ok(()) => match kept {
            Ok(()) => format!("task {short} is being stopped"),
            Err(words) => format!("task {short} is being stopped; {}", escape(&words)),
        },
        Err(error) => format!("stopping task {short}: {}", escape(&error.to_string())),
    }
}
