//! What gitlab-runner says of itself, from the text that it gives Prometheus.
//!
//! A line that is not as documented is passed over, and a number that is not told stays unknown: nothing is
//! guessed. This module asks nobody.
//!
//! Source of the names: GitLab Runner documentation, "Monitor GitLab Runner usage"; of the form: Prometheus
//! documentation, "Text-based format".

use fargate_status_answers::RunnerNumbers;

/// Most lines that are read.
const MOST_LINES: usize = 50_000;
/// Longest version that is repeated.
const LONGEST_VERSION: usize = 40;

/// One sample.
#[derive(Debug, PartialEq)]
struct MetricSample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

/// The numbers in `text`, or `None` if nothing of it is gitlab-runner's.
#[must_use]
pub fn read_runner_metrics(text: &str) -> Option<RunnerNumbers> {
    let mut numbers = RunnerNumbers::default();
    let mut is_runner = false;
    for sample in text.lines().take(MOST_LINES).filter_map(sample) {
        let Some(own) = sample.name.strip_prefix("gitlab_runner_") else { continue };
        is_runner = true;
        match own {
            "jobs" => add(&mut numbers.jobs, sample.value),
            "concurrent" => numbers.concurrent = whole(sample.value),
            "request_concurrency" => add(&mut numbers.requests, sample.value),
            "request_concurrency_exceeded_total" => {
                add(&mut numbers.requests_exceeded, sample.value);
            }
            "errors_total" if label(sample.labels, "level") != Some("warning") => {
                add(&mut numbers.errors, sample.value);
            }
            "version_info" => {
                let version = label(sample.labels, "version");
                numbers.version =
                    version.map(|it| fargate_model::text::escape_within(it, LONGEST_VERSION));
            }
            _ => {}
        }
    }
    // It has a line for jobs only once it runs one, and it always tells the others.
    if is_runner && numbers.concurrent.is_some() {
        numbers.jobs.get_or_insert(0);
    }
    is_runner.then_some(numbers)
}

fn add(sum: &mut Option<u64>, value: f64) {
    if let Some(value) = whole(value) {
        *sum = Some(sum.unwrap_or_default().saturating_add(value));
    }
}

fn whole(value: f64) -> Option<u64> {
    const MOST: f64 = 1e15;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited here")]
    (0.0..=MOST).contains(&value).then_some(value as u64)
}

/// `NAME{LABELS} VALUE`, with a time after it or not.
fn sample(line: &str) -> Option<MetricSample<'_>> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_at(end_of_labels(rest)?),
        None => ("", rest),
    };
    let value = rest.trim_start_matches('}').split_ascii_whitespace().next()?.parse().ok()?;
    Some(MetricSample { name, labels, value })
}

/// Where the closing brace stands; one within quotes does not count.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The value of a label without escaped characters.
fn label<'a>(labels: &'a str, wanted: &str) -> Option<&'a str> {
    let (_, rest) = labels
        .match_indices(wanted)
        .map(|(at, _)| labels.split_at(at))
        .find(|(before, _)| before.is_empty() || before.ends_with([',', ' ']))?;
    let value = rest.strip_prefix(wanted)?.strip_prefix("=\"")?;
    value.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As gitlab-runner 18 writes it, shortened.
    const TEXT: &str = r#"# HELP gitlab_runner_concurrent The current value of concurrent setting
# TYPE gitlab_runner_concurrent gauge
gitlab_runner_concurrent 30
# TYPE gitlab_runner_errors_total counter
gitlab_runner_errors_total{level="error"} 2
gitlab_runner_errors_total{level="warning"} 7
gitlab_runner_errors_total{level="fatal"} 0
gitlab_runner_jobs{executor_stage="custom_run",runner="a1b2",runner_name="ci } x",stage="step_script",state="running"} 3
gitlab_runner_jobs{executor_stage="custom_prepare",runner="a1b2",stage="prepare_executor",state="running"} 1
gitlab_runner_limit{runner="a1b2"} 0
gitlab_runner_request_concurrency{runner="a1b2"} 1
gitlab_runner_request_concurrency_exceeded_total{runner="a1b2"} 12
gitlab_runner_version_info{architecture="linux/amd64",branch="18-4",go_version="go1.24",version="18.4.1"} 1
go_goroutines 22
"#;

    #[test]
    fn the_numbers_are_what_gitlab_runner_says() {
        let numbers = read_runner_metrics(TEXT).unwrap();
        let told = (numbers.jobs, numbers.concurrent, numbers.requests, numbers.errors);
        assert_eq!(told, (Some(4), Some(30), Some(1), Some(2)));
        assert_eq!(numbers.requests_exceeded, Some(12));
        assert_eq!(numbers.version.as_deref(), Some("18.4.1"));
    }

    #[test]
    fn what_is_not_told_is_not_known() {
        assert_eq!(read_runner_metrics("go_goroutines 22\n"), None);
        assert_eq!(read_runner_metrics("<html>gitlab_runner_jobs 3</html>"), None);
        let few = read_runner_metrics("gitlab_runner_limit{runner=\"a\"} 0\n").unwrap();
        assert_eq!((few.jobs, few.concurrent, few.errors), (None, None, None));
        let idle = read_runner_metrics("gitlab_runner_concurrent 30\n").unwrap();
        assert_eq!(idle.jobs, Some(0), "it tells of jobs only while there are some");
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let odd = "gitlab_runner_jobs{ 3\ngitlab_runner_jobs\ngitlab_runner_jobs NaN\n\
                   gitlab_runner_jobs -1\ngitlab_runner_jobs 1e99\n{} 3\n\u{0}\n\
                   gitlab_runner_concurrent x\ngitlab_runner_jobs 2 1795989600000\n";
        assert_eq!(read_runner_metrics(odd).unwrap().jobs, Some(2));
        for length in 0..TEXT.len() {
            let _ = read_runner_metrics(&TEXT[..length]);
        }
    }
}
