//! The operator's log: lines in a file, or journald's socket. Never the job's log, and stderr only
//! where `--debug` asks for it. How a line is written is in `log_line`.
//!
//! It takes events in two ways: as a sink of typed events, and as the subscriber of `tracing`, where
//! the fields of the span stand beside those of the event. What libraries say comes that way too.
//!
//! Secrets that this process knows are masked in every text of it, but not within names of ours: a job
//! that masks a part of its task's ARN hides nothing but what an operator needs.
//!
//! A log that cannot be written, or not at once, is no reason for a job to fail or to wait: such
//! lines are dropped, counted, and told by the next one that can be written. How it is written is in
//! `log_sink`.

use crate::streams::masker;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use fargate_config::{LogFormat, LogLevel, RunnerConfig};
use fargate_events::{EventEmitter, EventSink, FieldValue, JobEvent};
use fargate_model::moment::unix_ms;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::log_line::{self, LineDestination};
use crate::log_sink::{LogSink, to_stderr_now};

struct OperatorLog {
    sink: Mutex<LogSink>,
    stderr: bool,
    level: Level,
    format: LogFormat,
    /// Fields of every line.
    common: Map<String, Value>,
}

/// The log as a subscriber of `tracing`.
struct LogLayer(Arc<OperatorLog>);

/// What `--debug` does beside raising the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugMode {
    /// It was not given.
    Off,
    /// Nothing: stderr is the job's log.
    Quiet,
    /// The log goes to stderr as well.
    Stderr,
}

/// Starts the log that a configuration asks for. `common` goes into each line. The emitter's events
/// go to this log alone, without the fields of a span.
pub fn start(config: &RunnerConfig, debug: DebugMode, common: &[(&str, String)]) -> EventEmitter {
    let mut level = tracing_level(config.log_level);
    if debug != DebugMode::Off {
        level = level.max(Level::DEBUG);
    }
    let common = common.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
    let log = Arc::new(OperatorLog {
        sink: Mutex::new(LogSink::new(config.log_file.clone())),
        stderr: debug == DebugMode::Stderr,
        level,
        format: config.log_format,
        common: common.collect(),
    });
    let lines = LogLayer(Arc::clone(&log));
    // Only a second call could fail, and the first one's log is as good.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    EventEmitter::new([log as Arc<dyn EventSink>])
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

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries only when something is wrong: at TRACE they have been seen to log credentials.
        let ours = metadata.target().starts_with("fargate_");
        let limit = if ours { self.0.level } else { self.0.level.min(Level::WARN) };
        *metadata.level() <= limit
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = LogFields(Map::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<LogFields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = LogFields(self.0.common.clone());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(known) = span.extensions().get::<LogFields>() {
                fields.0.extend(known.0.clone());
            }
        }
        event.record(&mut fields);
        self.0.take_line(fields, *event.metadata().level());
    }
}

impl EventSink for OperatorLog {
    fn take(&self, event: &JobEvent) {
        let level = event.schema().level.as_tracing();
        if level > self.level {
            return;
        }
        let mut fields = LogFields(self.common.clone());
        fields.add(event);
        self.take_line(fields, level);
    }
}

impl OperatorLog {
    fn take_line(&self, mut fields: LogFields, level: Level) {
        // Masked at last, once every name of ours is known that stands beside.
        fields.mask();
        if self.stderr {
            to_stderr_now(&self.line(&mut fields.0, level, LineDestination::Plain));
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

    fn line(
        &self,
        fields: &mut Map<String, Value>,
        level: Level,
        reader: LineDestination,
    ) -> String {
        fields.insert("level".into(), level.as_str().to_lowercase().into());
        fields.insert("time".into(), unix_ms(SystemTime::now()).into());
        log_line::write(fields, self.format, reader)
    }

    /// False if the log does not take the line now.
    fn put(&self, sink: &mut LogSink, mut fields: Map<String, Value>, level: Level) -> bool {
        let line = self.line(&mut fields, level, sink.reader());
        sink.put(&line, priority(level))
    }

    fn told_dropped(&self, lines: u64) -> Map<String, Value> {
        let mut fields = LogFields(self.common.clone());
        fields.add(&JobEvent::LogDropped { lines });
        fields.0
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

/// Fields whose words are ours alone: nobody who names a secret so can hide what happened.
const OURS: [&str; 5] = ["event", "cause", "action", "level", "stage"];
/// Fields that hold a name of ours, or one that AWS gave to what is ours.
const IDS: [&str; 8] =
    ["task", "launch", "job", "owner", "cluster", "region", "folder", "request_id"];

/// What one line or one span says.
struct LogFields(Map<String, Value>);

impl LogFields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn add(&mut self, event: &JobEvent) {
        self.0.insert("event".into(), event.schema().name.into());
        for (name, value) in event.fields() {
            let value = match value {
                FieldValue::Text(text) => Value::from(text),
                FieldValue::Number(number) => number.into(),
                FieldValue::Flag(flag) => flag.into(),
            };
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Masks every text but our own words and names, and these wherever they stand.
    fn mask(&mut self) {
        let ids: Vec<String> =
            IDS.iter().filter_map(|name| self.0.get(*name)?.as_str().map(str::to_owned)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let texts = self
            .0
            .iter_mut()
            .filter(|(name, _)| !OURS.contains(&name.as_str()) && !IDS.contains(&name.as_str()));
        for (_, value) in texts {
            if let Value::String(text) = value {
                *text = masker().text_beside(text, &ids).into_owned();
            }
        }
    }
}

impl Visit for LogFields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// What `tell` makes a log write; it may tell the log itself or the subscriber.
    fn logged(format: LogFormat, level: Level, tell: impl FnOnce(&OperatorLog)) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = Arc::new(OperatorLog {
            sink: Mutex::new(LogSink::new(Some(file.path().to_owned()))),
            stderr: false,
            level,
            format,
            common: Map::from_iter([("job".to_owned(), "gl-4000-canary".into())]),
        });
        let lines = tracing_subscriber::registry().with(LogLayer(Arc::clone(&log)));
        tracing::subscriber::with_default(lines, || tell(&log));
        std::fs::read_to_string(file.path()).unwrap()
    }

    /// What one event is written as.
    fn written(format: LogFormat, emit: impl FnOnce()) -> String {
        logged(format, Level::TRACE, |_| emit())
    }

    #[test]
    fn an_event_is_the_same_line_on_either_way_and_none_below_the_level() {
        let task = fargate_model::id::TaskArn("arn:aws:ecs:eu-west-1:1:task/ci/0a1b".into());
        let events = [
            JobEvent::ReadsSlowed { per_second: 2.5 },
            JobEvent::OrphanSpared { task: None, job: "gl-1".into(), reason: "job-over".into() },
            JobEvent::TaskStopping { task, message: Some("the job is over".into()) },
            JobEvent::SshdFound { server: "x".into(), group: true, watchdog: false },
            JobEvent::SessionRekeyed { times: 3 },
        ];
        let without_time = |line: String| {
            let mut line: Map<String, Value> = serde_json::from_str(&line).unwrap();
            assert!(line.remove("time").is_some_and(|time| time.is_u64()));
            Value::Object(line).to_string()
        };
        let json = LogFormat::Json;
        let lines = events.map(|event| {
            let sent = logged(json, Level::DEBUG, |_| fargate_events::emit(event.clone()));
            let taken = logged(json, Level::DEBUG, |log| log.take(&event));
            assert_eq!(without_time(sent.clone()), without_time(taken));
            if event.schema().level.as_tracing() == Level::DEBUG {
                assert_eq!(logged(json, Level::INFO, |log| log.take(&event)), "");
                assert_eq!(logged(json, Level::INFO, |_| fargate_events::emit(event)), "");
            }
            without_time(sent)
        });
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"reads.slowed","job":"gl-4000-canary","level":"warn","message":"ECS answers fewer questions","per_second":"2.5"}
        {"event":"orphan.spared","job":"gl-1","level":"info","reason":"job-over"}
        {"event":"task.stopping","job":"gl-4000-canary","level":"info","message":"the job is over","task":"arn:aws:ecs:eu-west-1:1:task/ci/0a1b"}
        {"event":"sshd.found","group":true,"job":"gl-4000-canary","level":"info","server":"x","watchdog":false}
        {"event":"session.rekeyed","job":"gl-4000-canary","level":"debug","message":"the connection has new keys","times":3}
        "#);
    }

    #[test]
    fn no_name_of_ours_is_masked() {
        let fields = JobEvent::SCHEMAS.iter().flat_map(|schema| schema.fields);
        for field in fields.filter(|field| field.kind == fargate_events::FieldKind::Id) {
            assert!(IDS.contains(&field.name), "{}", field.name);
        }
    }

    #[test]
    fn a_masked_variable_blanks_no_name_of_ours() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task/canary-cluster/0a1b";
        for secret in ["canary-cluster", "eu-west-1", "4000-canary", "task.stopped"] {
            masker().remember(secret);
        }
        let line = written(LogFormat::Json, || {
            let span = tracing::info_span!("stage", task = tracing::field::Empty);
            span.record("task", tracing::field::display(arn));
            span.in_scope(|| {
                tracing::info!(
                    target: "fargate_test",
                    event = "task.stopped",
                    who = "canary-cluster",
                    "task {arn} of gl-4000-canary stopped; canary-cluster"
                );
            });
        });
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["task"], &line["event"]), (&arn.into(), &"task.stopped".into()));
        assert_eq!((&line["job"], &line["who"]), (&"gl-4000-canary".into(), &"[MASKED]".into()));
        let message = format!("task {arn} of gl-4000-canary stopped; [MASKED]");
        assert_eq!(line["message"], message);
    }

    fn format() -> impl Strategy<Value = LogFormat> {
        prop_oneof![Just(LogFormat::Json), Just(LogFormat::Text), Just(LogFormat::TextSimple)]
    }

    proptest! {
        /// Whatever text an event, its span or a library brings, a line of the log is one line, short,
        /// and made of what a reader can see.
        #[test]
        fn no_text_reaches_the_log_uncleaned(
            text in "\\PC{0,8}[\u{1b}\u{9b}\u{202e}\u{2028}\u{61c}\u{200b}\u{feff}\u{e0041}\r\n]{1,4}.{0,20}",
            length in prop_oneof![Just(1_usize), Just(2000)],
            format in format(),
        ) {
            let text = Arc::new(text.repeat(length));
            let line = written(format, || {
                let span = tracing::info_span!("stage", task = %text);
                span.in_scope(|| {
                    tracing::info!(target: "fargate_test", event = %text, said = text.as_str(), "{text}");
                    tracing::warn!(target: "some_library", "{text}");
                });
            });
            prop_assert_eq!(line.matches('\n').count(), 2, "{:?}", line);
            prop_assert!(line.len() < 200_000, "{}", line.len());
            for line in line.lines() {
                let line = match format {
                    LogFormat::Text => line.replace("\u{1b}[36m", "").replace("\u{1b}[33m", "").replace("\u{1b}[0m", ""),
                    _ => line.to_owned(),
                };
                prop_assert_eq!(fargate_model::text::escape(&line), line);
            }
        }
    }
}
