//! What somebody must act on reaches a webhook and a topic of SNS: once, signed, without names, whatever the webhook
//! does.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use fargate_events::{EventSink, JobEvent, JobFact};
use fargate_job_journal::{JournalFolder, JournalSink};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::job::JobKey;
use fargate_tests::{
    CheckedHost, PipeReading, SYSTEM_FAILURE, TestProcess, have, runner, until_found,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::process::Command;

use crate::answering_server::{AnsweringServer, ServerAnswer};
use crate::server::StatusServer;

const KEY: &str = "the key of the webhook";

/// A host whose jobs all fail for one cause, and whose `serve` tells it to this webhook and to SNS.
async fn failing_host(webhook: &AnsweringServer) -> CheckedHost {
    let site = CheckedHost::open().await;
    let secret = |name: &str, text: &str| {
        let path = site.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("a mode");
        path.display().to_string()
    };
    site.set("notify.webhook_url_file", secret("webhook-url", &webhook.url("/T0/secret-path")));
    site.set("notify.webhook_key_file", secret("webhook-key", KEY));
    site.set("notify.sns_topic", "arn:aws:sns:eu-west-1:123456789012:ci-alarms");
    site.set("notify.after_jobs", 2);
    site.set("serve.runbook_url", "https://wiki.example.org/{cause}");
    site.set("defaults.task_definition", "nobody-made-it");
    for _ in 0..2 {
        let job = site.job();
        job.prepare().await.with_code(SYSTEM_FAILURE);
        job.cleanup().await.passed();
    }
    site
}

/// The server of this host, which reaches SNS at the local cloud.
async fn telling_server(site: &CheckedHost) -> StatusServer {
    let mut command = Command::new(runner());
    command.arg("-c").arg(site.config()).args(["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(site.folder()).env_clear().envs(site.environment());
    command.env("AWS_ENDPOINT_URL_SNS", site.cloud().endpoint());
    let server = StatusServer::started(TestProcess::start(command, PipeReading::Always)).await;
    server.ready().await;
    server
}

/// The messages that the topic got.
fn published(site: &CheckedHost) -> Vec<Value> {
    let requests = site.cloud().requests().into_iter();
    let taken = requests.filter(|it| it.operation == "Publish" && it.status == Some(200));
    taken.map(|request| request.body).collect()
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn signature(at: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("a key");
    mac.update(format!("{at}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn a_cause_of_two_jobs_reaches_a_webhook_that_fails_at_first_and_a_topic_once_each() {
    let refused = ServerAnswer::Status(500, "later".to_owned());
    let taken = ServerAnswer::Status(200, String::new());
    let webhook = AnsweringServer::start(vec![refused.clone(), refused, taken]).await;
    let site = failing_host(&webhook).await;
    let server = telling_server(&site).await;
    let metrics = until_found("the webhook took the message", || async {
        let metrics = server.get("/metrics").await.text();
        let is_sent = |target: &str| {
            let line =
                format!("fargate_runner_notices_total{{target=\"{target}\",result=\"sent\"}} 1");
            metrics.contains(&line)
        };
        if is_sent("webhook") && is_sent("sns") { Ok(metrics) } else { Err(metrics) }
    })
    .await;
    assert!(!metrics.contains("result=\"failed\""), "{metrics}");

    let asked = webhook.asked();
    assert_eq!(asked.len(), 3, "twice refused, then taken: {asked:?}");
    let bodies: Vec<&str> =
        asked.iter().filter_map(|it| it.split_once("\r\n\r\n")).map(|it| it.1).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the same message each time");
    for request in &asked {
        let signed = header(request, "x-fargate-runner-signature");
        let (at, given) =
            signed.strip_prefix("t=").and_then(|it| it.split_once(",v1=")).expect(signed);
        assert_eq!(given, signature(at, bodies[0]));
    }
    let told: Value = serde_json::from_str(bodies[0]).expect("JSON");
    assert_eq!((&told["version"], &told["kind"]), (&1.into(), &"opened".into()), "{told}");
    assert_eq!((told["jobs"].as_u64(), told["projects"].as_u64()), (Some(2), Some(1)), "{told}");
    let cause = told["condition"].as_str().expect("a cause").to_owned();
    assert_eq!(told["runbook"], format!("https://wiki.example.org/{cause}"));
    assert!(
        !bodies[0].contains("group/project") && !bodies[0].contains("nobody-made-it"),
        "{told}"
    );

    let [message] = &published(&site)[..] else { panic!("{:?}", published(&site)) };
    let texts: Value =
        serde_json::from_str(message["Message"].as_str().expect("a text")).expect("JSON");
    assert_eq!(texts["default"], bodies[0], "SNS gets the same message");
    assert!(
        texts["email"]
            .as_str()
            .is_some_and(|mail| mail.contains(": 2 of") || mail.contains("2 jobs")),
        "{texts}"
    );
    // Nobody reads the webhook's secret anywhere else.
    let log = site.log();
    assert!(log.contains("notice.sent") && !log.contains("secret-path"), "{log}");
    assert!(!server.get("/").await.text().contains("secret-path"));
    server.close().await;
    site.close().await;
}

/// What Prometheus says of the rules when it scrapes this sample, which was not there before.
fn alert_test(rules: &std::path::Path, sample: &str) -> String {
    let (series, value) = sample.rsplit_once(' ').expect("a sample");
    let series = series.replace('{', "{instance=\"a\", ");
    format!(
        r#"
rule_files: [{}]
tests:
  - interval: 1m
    input_series: [{{ series: '{series}', values: "_x5 {value}x20" }}]
    alert_rule_test:
      - alertname: FargateRunnerNoticesFail
        eval_time: 10m
        exp_alerts:
          - exp_labels: {{ severity: page, instance: a, target: webhook }}
            exp_annotations:
              summary: "webhook took no message of a: whoever is on call was not told"
              action: "the page Now shows what is open; the log says why the message failed (notice.failed)"
"#,
        rules.display()
    )
}

#[tokio::test]
async fn a_message_that_a_webhook_refuses_for_good_is_counted_and_the_alert_for_it_is_raised() {
    let refused = ServerAnswer::Status(404, String::new());
    let webhook = AnsweringServer::start(vec![refused]).await;
    let site = failing_host(&webhook).await;
    let server = telling_server(&site).await;
    let sample = until_found("the refusal is counted", || async {
        let metrics = server.get("/metrics").await.text();
        let failed = r#"fargate_runner_notices_total{target="webhook",result="failed"}"#;
        let sample = metrics.lines().find(|line| line.starts_with(failed)).map(str::to_owned);
        sample.ok_or(metrics)
    })
    .await;
    assert_eq!(webhook.asked().len(), 1, "it is not asked again");
    server.close().await;
    if have("promtool") {
        let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = rules.parent().expect("the root").join("packaging/prometheus/alerts.yml");
        let test = site.folder().join("alert.test.yml");
        std::fs::write(&test, alert_test(&rules, &sample)).expect("a file");
        let output = Command::new("promtool").args(["test", "rules"]).arg(&test).output().await;
        let output = output.expect("promtool");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    site.close().await;
}

/// How often the daemon is killed.
const KILLS: usize = 10;

/// Writes the journal of a job that failed a moment ago for this cause.
fn journal_of_failure(site: &CheckedHost, number: usize, cause: FailureCause) {
    let mut bits = [0; 32];
    bits[..2].copy_from_slice(&[0xfa, u8::try_from(number).expect("few jobs")]);
    let folder = JournalFolder::of(&site.state_dir());
    let key = JobKey::from_bits(bits);
    let sink = JournalSink::new(folder, key, "prepare".to_owned(), Default::default());
    sink.take(&JobEvent::JobReceived { project: 7, timeout_s: Some(3600) });
    let report = Box::new(CauseReport::new(cause));
    sink.take_fact(&JobFact::Explained { report, is_final: true });
    let message = "no task".to_owned();
    sink.take(&JobEvent::PrepareFailed { cause: Some(cause), message });
    sink.take(&JobEvent::CleanupDone { undone: 0 });
}

/// A new cause before each start shows that the new daemon looked; all earlier ones are still open then.
#[tokio::test]
async fn a_daemon_that_is_killed_again_and_again_tells_each_failure_once() {
    let webhook = AnsweringServer::start(vec![ServerAnswer::Status(200, String::new())]).await;
    let site = CheckedHost::open().await;
    let url = site.folder().join("webhook-url");
    std::fs::write(&url, webhook.url("/T0")).expect("a file");
    std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    site.set("notify.webhook_url_file", url.display().to_string());
    site.set("notify.after_jobs", 1);
    // Jobs tell their own people, and whoever pauses a host knows it.
    let is_told =
        |cause: &FailureCause| ["setup", "AWS", "runner"].contains(&cause.entry().who.word());
    let causes: Vec<_> = FailureCause::ALL.iter().copied().filter(is_told).take(KILLS).collect();
    assert_eq!(causes.len(), KILLS);
    for (number, cause) in causes.iter().enumerate() {
        journal_of_failure(&site, number, *cause);
        let server = StatusServer::of(&site).await;
        until_found(&format!("cause {number}, {cause:?}, is told"), || async {
            let metrics = server.get("/metrics").await.text();
            let sent = "fargate_runner_notices_total{target=\"webhook\",result=\"sent\"} 1";
            let told = webhook.asked().len();
            if metrics.contains(sent) && told > number { Ok(()) } else { Err(metrics) }
        })
        .await;
        server.kill().await;
    }
    let mut told = std::collections::BTreeMap::<String, usize>::new();
    for request in webhook.asked() {
        let (_, body) = request.split_once("\r\n\r\n").expect("a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        *told.entry(body["id"].as_str().expect("an id").to_owned()).or_default() += 1;
    }
    assert_eq!(told.len(), KILLS, "{told:#?}");
    assert!(told.values().all(|times| *times == 1), "{told:#?}");
    site.close().await;
}

#[tokio::test]
async fn a_webhook_that_never_answers_delays_neither_the_page_nor_the_topic() {
    let webhook = AnsweringServer::start(vec![ServerAnswer::Silence]).await;
    let site = failing_host(&webhook).await;
    let server = telling_server(&site).await;
    until_found("the topic has the message while the webhook is silent", || async {
        match (published(&site).len(), webhook.asked().len()) {
            (1, 1..) => Ok(()),
            other => {
                let requests = site.cloud().requests().into_iter().filter(|it| it.service == "sns");
                let refused: Vec<_> = requests.collect();
                Err(format!("{other:?}; {refused:?}; {}", site.log()))
            }
        }
    })
    .await;
    let began = Instant::now();
    server.json("/api/v1/now").await;
    assert!(began.elapsed().as_secs() < 2, "the page waits for nobody");
    // It ends although a message is on its way.
    server.close().await;
    site.close().await;
}
