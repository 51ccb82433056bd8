//! `tasks list --watch`: the live tasks and the jobs that still wait for one, drawn again and again on a terminal;
//! elsewhere one JSON line for each change. Nothing is asked of AWS while a daemon answers.

use std::io::{self, IsTerminal};
use std::time::Duration;

use fargate_controller::{TaskListSource, TaskListing};
use fargate_driver::session::PersonInput;
use fargate_terminal::{RawTerminal, list_keys};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::CommandExit;
use crate::output_args::ListFormat;
use crate::shell_input::InputReader;
use crate::streams::{tell, to_stdout, unwritten};
use crate::tasks_output as output;
use crate::tasks_screen::TaskScreen;
use crate::tasks_site::TasksSite;

/// Time between two looks: the daemon is asked, which costs no call.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// The same where ECS must be asked.
const ASK_ECS_EACH: Duration = Duration::from_secs(5);

/// Watches until SIGINT, SIGTERM or the key `q`. What stands on the terminal after that is the last head line.
pub fn watch(site: &TasksSite, format: ListFormat) -> Result<CommandExit, String> {
    let is_screen = format == ListFormat::Table
        && io::stdout().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    if !is_screen {
        let mut place = WatchPlace::Lines { told: String::new() };
        return site
            .runtime
            .block_on(watch_until_ended(site, &mut place, None))
            .map(|_| CommandExit::Done);
    }
    // Rust drops these in reverse order: screen, terminal settings, reader.
    let failed = |error: io::Error| format!("reading keys: {error}");
    let has_keys = io::stdin().is_terminal();
    let started = has_keys.then(InputReader::start).transpose().map_err(failed)?;
    let (_reader, input) = started.map(|(reader, input, _)| (reader, input)).unzip();
    let _keys = has_keys.then(RawTerminal::key_by_key).transpose().map_err(failed)?;
    let mut place = WatchPlace::Screen(Box::new(TaskScreen::open(site, has_keys)?));
    let watched = site.runtime.block_on(watch_until_ended(site, &mut place, input));
    let unstopped = place.task_being_stopped();
    drop(place);
    if let Some(task) = unstopped {
        tell!("warning: ECS has not yet accepted the stop of task {task}; the task may run on");
    }
    if let Some(last) = watched? {
        tell!("{}", output::words(site.host(), &last));
    }
    Ok(CommandExit::Done)
}

/// Where the tasks are shown.
enum WatchPlace<'a> {
    Screen(Box<TaskScreen<'a>>),
    /// One JSON line for each change.
    Lines {
        told: String,
    },
}

impl WatchPlace<'_> {
    fn show(&mut self, site: &TasksSite, listing: &TaskListing) -> Result<(), String> {
        match self {
            Self::Screen(screen) => screen.show(listing),
            Self::Lines { told } => {
                let jobs = site.jobs()?;
                let tasks = output::live_tasks(listing, &jobs);
                let text = site.document(listing, &tasks).to_string();
                if text != *told {
                    to_stdout(&text).map_err(unwritten)?;
                    *told = text;
                }
                Ok(())
            }
        }
    }

    fn is_paused(&self) -> bool {
        matches!(self, Self::Screen(screen) if screen.is_paused())
    }

    fn task_being_stopped(&self) -> Option<String> {
        match self {
            Self::Screen(screen) => screen.task_being_stopped().map(str::to_owned),
            Self::Lines { .. } => None,
        }
    }

    async fn stop_ended(&mut self) -> String {
        match self {
            Self::Screen(screen) => screen.stop_ended().await,
            Self::Lines { .. } => std::future::pending().await,
        }
    }

    /// The next event. Nothing is lost if the future is dropped.
    async fn next_event(&mut self, events: &mut WatchEvents) -> WatchEvent {
        tokio::select! {
            event = events.next() => event,
            words = self.stop_ended() => WatchEvent::StopEnded(words),
        }
    }

    /// Does what a person or the terminal did; whether to end.
    fn take(&mut self, event: WatchEvent) -> Result<bool, String> {
        match (event, self) {
            (WatchEvent::Signalled, _) => return Ok(true),
            // Lines have no size, and nobody types to them.
            (_, Self::Lines { .. }) => {}
            // A terminal of another size is drawn again at once; nobody is asked for that.
            (WatchEvent::Resized, Self::Screen(screen)) => screen.draw()?,
            (WatchEvent::StopEnded(words), Self::Screen(screen)) => screen.tell(words)?,
            (WatchEvent::Typed(bytes), Self::Screen(screen)) => {
                for key in list_keys(&bytes) {
                    if screen.press(key)? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

/// What happens beside the looks.
enum WatchEvent {
    /// A signal asks for the end.
    Signalled,
    Resized,
    Typed(Vec<u8>),
    /// What became of the stop of a task, in words.
    StopEnded(String),
}

struct WatchEvents {
    interrupt: Signal,
    terminate: Signal,
    resized: Signal,
    input: Option<PersonInput>,
}

impl WatchEvents {
    fn listen(input: Option<PersonInput>) -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("listening for signals: {error}"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            resized: listen(SignalKind::window_change())?,
            input,
        })
    }

    /// The next one. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> WatchEvent {
        tokio::select! {
            _ = self.interrupt.recv() => WatchEvent::Signalled,
            _ = self.terminate.recv() => WatchEvent::Signalled,
            _ = self.resized.recv() => WatchEvent::Resized,
            bytes = typed(&mut self.input) => WatchEvent::Typed(bytes),
        }
    }
}

/// What is typed next; never, once nobody can type.
async fn typed(input: &mut Option<PersonInput>) -> Vec<u8> {
    if let Some(open) = input {
        if let Some(bytes) = open.typed.recv().await {
            return bytes;
        }
        *input = None;
    }
    std::future::pending().await
}

/// Looks and shows until somebody says that it is enough. Returns what was shown last.
async fn watch_until_ended(
    site: &TasksSite,
    place: &mut WatchPlace<'_>,
    input: Option<PersonInput>,
) -> Result<Option<TaskListing>, String> {
    let mut events = WatchEvents::listen(input)?;
    let mut last: Option<TaskListing> = None;
    loop {
        let mut asked = std::pin::pin!(site.tasks.list());
        let listing = loop {
            tokio::select! {
                listing = &mut asked => break listing,
                event = place.next_event(&mut events) => if place.take(event)? {
                    return Ok(last);
                },
            }
        };
        let pause = match listing.source {
            TaskListSource::Daemon => LOOK_EACH,
            TaskListSource::Ecs => ASK_ECS_EACH,
        };
        // What came while the person stopped the updates is left out.
        if last.is_none() || !place.is_paused() {
            place.show(site, &listing)?;
            last = Some(listing);
        }
        let mut next = std::pin::pin!(tokio::time::sleep(pause));
        loop {
            tokio::select! {
                () = &mut next, if !place.is_paused() => break,
                event = place.next_event(&mut events) => if place.take(event)? {
                    return Ok(last);
                },
            }
        }
    }
}
