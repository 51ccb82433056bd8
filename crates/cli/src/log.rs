//! The operator's log: lines in a file, or journald's socket. Never the job's log, and stderr only
//! where `--debug` asks for it. How a line is written is in `log_line`.
//!
//! Secrets that this process knows are masked in every text of it.
//!
//! A log that cannot be written, or not at once, is no reason for a job to fail or to wait: such
//! lines are dropped, counted, and told by the next one that can be written. How it is written is in
//! `log_sink`.

use std::sync::Mutex;
use std::time::SystemTime;

use fargate_config::{Config, LogFormat, LogLevel};
use fargate_driver::mask;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::log_line::{self, Reader};
use crate::log_sink::{LogSink, to_stderr_now};

struct Lines {
    sink: Mutex<LogSink>,
    stderr: bool,
    level: Level,
    format: LogFormat,
    common: Map<String, Value>,
}

/// What `--debug` does beside raising the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debug {
    /// It was not given.
    Off,
    /// Nothing: stderr is the job's log.
    Quiet,
    /// The log goes to stderr as well.
    Stderr,
}

/// Starts the log that a configuration asks for. `common` goes into each line.
pub fn start(config: &Config, debug: Debug, common: &[(&str, String)]) {
    let mut level = tracing_level(config.log_level);
    if debug != Debug::Off {
        level = level.max(Level::DEBUG);
    }
    let common = common.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    let lines = Lines {
        sink: Mutex::new(LogSink::new(config.log_file.clone())),
        stderr: debug == Debug::Stderr,
        level,
        format: config.log_format,
        common: common.collect(),
    };
    // Only a second call could fail, and the first one's log is as good.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
}

fn tracing_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// The span that a stage runs in: what it learns on the way stands in every later line.
pub fn stage() -> Span {
    tracing::info_span!("stage", attempt = tracing::field::Empty, task = tracing::field::Empty)
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries only when something is wrong: at TRACE they have been seen to log credentials.
        let ours = metadata.target().starts_with("fargate_");
        let limit = if ours { self.level } else { self.level.min(Level::WARN) };
        *metadata.level() <= limit
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(self.common.clone());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(known) = span.extensions().get::<Fields>() {
                fields.0.extend(known.0.clone());
            }
        }
        event.record(&mut fields);
        let level = *event.metadata().level();
        if self.stderr {
            to_stderr_now(&self.line(&mut fields.0, level, Reader::Plain));
        }
        let Ok(mut sink) = self.sink.lock() else { return };
        let dropped = sink.dropped();
        if dropped > 0 && self.put(&mut sink, self.told_dropped(dropped), Level::WARN) {
            sink.told_dropped(dropped);
        }
        if !self.put(&mut sink, fields.0, level) {
            sink.count_dropped();
        }
    }
}

impl Lines {
    fn line(&self, fields: &mut Map<String, Value>, level: Level, reader: Reader) -> String {
        fields.insert("level".into(), level.as_str().to_lowercase().into());
        fields.insert("time".into(), unix_ms().into());
        log_line::write(fields, self.format, reader)
    }

    /// False if the log does not take the line now.
    fn put(&self, sink: &mut LogSink, mut fields: Map<String, Value>, level: Level) -> bool {
        let line = self.line(&mut fields, level, sink.reader());
        sink.put(&line, priority(level))
    }

    fn told_dropped(&self, lines: u64) -> Map<String, Value> {
        let mut fields = self.common.clone();
        fields.insert("event".into(), "log.dropped".into());
        fields.insert("lines".into(), lines.into());
        fields
    }
}

/// Source: syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Milliseconds since 1970.
fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Fields whose words are ours alone: nobody who names a secret so can hide what happened.
const OURS: [&str; 3] = ["event", "cause", "action"];

fn shown<'a>(field: &str, text: &'a str) -> std::borrow::Cow<'a, str> {
    if OURS.contains(&field) { text.into() } else { mask::text(text) }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        self.0.insert(field.name().to_owned(), shown(field.name(), &text).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), shown(field.name(), value).into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
