//! `check --probe`: one task looks around from inside, and nothing of it is left.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, TestJob, until};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{checker, report};

/// Answers every request with this body, until the test ends.
fn answering(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a place"));
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
            let _ = write!(client, "{head}Connection: close\r\n\r\n{body}");
        }
    });
    url
}

fn prober(site: &CheckedHost, gitlab: &str) -> Rc<TestJob> {
    let address = answering("203.0.113.99\n");
    checker(site, |job| {
        for argument in
            ["--probe", "--format", "json", "--address-url", &address, "--gitlab-url", gitlab]
        {
            job.arguments.push(argument.into());
        }
    })
}

/// Gives the host a profile whose image is in a registry of this machine, which is named by a name. The usual
/// profile has an image of a registry that there is not.
fn own_image(site: &CheckedHost) {
    let registry = answering("{}").replace("http://127.0.0.1", "localhost");
    site.set("profile.own.image", format!("{registry}/team/ci:1"));
    site.set("profile.own.insecure_registries", toml::Value::from(vec![registry]));
    // The registry has no image. Tasks are processes here, so nobody pulls one.
    site.set("profile.own.pin_image", false);
    site.set("profile.own.task_definition_family", "made-here");
}

/// The arguments for that profile.
const OWN: [&str; 2] = ["--profile", "own"];

fn line<'a>(report: &'a Value, id: &str) -> &'a Value {
    let lines = report["checks"].as_array().expect("a list");
    lines.iter().find(|line| line["id"] == id).unwrap_or_else(|| panic!("no {id}: {report:#}"))
}

#[tokio::test]
async fn one_task_tells_what_it_reaches_and_how_long_its_start_took() {
    let site = CheckedHost::open().await;
    own_image(&site);
    let person = prober(&site, &answering("gitlab").replace("127.0.0.1", "localhost"));
    let ended = person.heard(person.start(&OWN)).await;
    let told = report(&ended);
    let start = line(&told, "probe-start");
    assert_eq!(start["outcome"], "pass", "{start:#}");
    for phase in ["RunTask", "Network", "Agent reached"] {
        assert!(start["found"].to_string().contains(phase), "{start:#}");
    }
    let address = line(&told, "probe-egress");
    assert!(address["found"].to_string().contains("203.0.113.99"), "{address:#}");
    for id in ["probe-dns", "probe-registry", "probe-gitlab"] {
        let line = line(&told, id);
        assert_eq!(line["outcome"], "pass", "{told:#}");
        assert!(line["found"].to_string().contains("localhost"), "{line:#}");
    }
    assert_eq!((site.calls("RunTask"), site.cloud().live_tasks()), (1, 0));
    crate::close(site).await;
}

#[tokio::test]
async fn what_a_task_does_not_reach_fails() {
    let site = CheckedHost::open().await;
    own_image(&site);
    let person = prober(&site, "http://127.0.0.1:9");
    let ended = person.heard(person.start(&OWN)).await.with_code(1);
    let told = report(&ended);
    let gitlab = line(&told, "probe-gitlab");
    assert_eq!(gitlab["outcome"], "fail", "{gitlab:#}");
    assert!(gitlab["found"].to_string().contains("jobs do not reach GitLab"), "{gitlab:#}");
    crate::close(site).await;
}

#[tokio::test]
async fn without_a_profile_for_its_task_a_probe_is_unknown_and_the_report_is_there() {
    let site = CheckedHost::open().await;
    let text = std::fs::read_to_string(site.config()).expect("a file");
    let mut settings: toml::Table = text.parse().expect("TOML");
    let defaults = settings.remove("defaults").expect("a table");
    let profiles = toml::Table::from_iter([("own".to_owned(), defaults)]);
    settings.insert("profile".to_owned(), toml::Value::Table(profiles));
    site.configure(&settings.to_string()).expect("a writable folder");
    let person = prober(&site, &answering("gitlab"));
    let ended = person.heard(person.start::<&str>(&[])).await;
    let told = report(&ended);
    let start = line(&told, "probe-start");
    assert_eq!(start["outcome"], "unknown", "{start:#}");
    assert!(start["fix"].to_string().contains("--profile own"), "{start:#}");
    assert_eq!(line(&told, "cluster")["outcome"], "pass", "{told:#}");
    assert_eq!(site.calls("RunTask"), 0);
    crate::close(site).await;
}

#[tokio::test]
async fn a_task_that_cannot_start_is_a_failure_with_its_cause() {
    let site = CheckedHost::open().await;
    site.cloud().fail_until_cleared(
        "RunTask",
        CloudFault::Exception {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "not authorized to perform: ecs:RunTask on resource: *".to_owned(),
        },
    );
    let person = prober(&site, &answering("gitlab"));
    let ended = person.heard(person.start::<&str>(&[])).await.with_code(1);
    let start = line(&report(&ended), "probe-start").clone();
    assert_eq!(start["outcome"], "fail", "{start:#}");
    assert!(start["found"].to_string().contains("ecs:RunTask"), "{start:#}");
    site.cloud().clear_faults();
    crate::close(site).await;
}

#[tokio::test]
async fn ctrl_c_stops_the_task_of_a_probe() {
    let site = CheckedHost::open().await;
    site.cloud().fail_until_cleared(
        "RunTask",
        CloudFault::TaskHeld { phase: CloudTaskPhase::Provisioning },
    );
    let person = prober(&site, &answering("gitlab"));
    let running = person.start::<&str>(&[]);
    until("a task is launched", || site.cloud().live_tasks() == 1).await;
    running.signal(Signal::SIGINT);
    person.heard(running).await.with_code(130);
    site.cloud().clear_faults();
    until("its task is stopped", || site.cloud().live_tasks() == 0).await;
    crate::close(site).await;
}

#[tokio::test]
async fn a_killed_probe_leaves_a_task_that_the_reaper_stops() {
    let site = CheckedHost::open().await;
    site.cloud().fail_until_cleared(
        "RunTask",
        CloudFault::TaskHeld { phase: CloudTaskPhase::Provisioning },
    );
    let person = prober(&site, &answering("gitlab"));
    let running = person.start::<&str>(&[]);
    until("a task is launched", || site.cloud().live_tasks() == 1).await;
    running.signal(Signal::SIGKILL);
    let _ = person.heard(running).await;
    site.cloud().clear_faults();
    person.heard(site.start(&["tasks", "reap"])).await;
    until("its task is stopped", || site.cloud().live_tasks() == 0).await;
    crate::close(site).await;
}
