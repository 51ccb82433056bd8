//! The numbers of the page of now: each is the length of the list to which it leads. And a job that is found by its
//! id, whatever its age.

use std::time::SystemTime;

use fargate_events::JobDescription;
use fargate_history::{HistoryLocation, HistoryStore, StoryUpdate};
use fargate_job_journal::{JobState, JobStory, JobVerdict, TryStory};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::job::JobKey;
use fargate_model::moment::unix_ms;
use fargate_tests::CheckedHost;

use crate::http_client::HttpAnswer;
use crate::server::StatusServer;

const MINUTE_MS: u64 = 60_000;
/// Another host, so that what the tests of this host do is not counted.
const HOST: &str = "ci-9";

/// A job that ended so many minutes ago, after so many minutes; it failed for this reason, or passed.
fn job(number: u8, (lived, ago): (u64, u64), cause: Option<CauseReport>) -> StoryUpdate {
    let ended_ms = unix_ms(SystemTime::now()) - ago * MINUTE_MS;
    let received_ms = ended_ms - lived * MINUTE_MS;
    let mut story = JobStory::new(JobKey::from_bits([number; 32]).as_str());
    (story.received_ms, story.changed_ms, story.ended_ms) = (received_ms, ended_ms, Some(ended_ms));
    story.state = JobState::Finished;
    story.verdict = Some(match cause {
        Some(_) => JobVerdict::SystemFailure,
        None => JobVerdict::Passed,
    });
    story.description = JobDescription {
        id: format!("gl-7000{number}"),
        host: HOST.to_owned(),
        ..JobDescription::default()
    };
    let refusals = cause.iter().filter(|it| it.cause == FailureCause::NoCapacity);
    story.tries = vec![TryStory {
        number: 1,
        received_ms,
        failed_ms: cause.as_ref().map(|_| ended_ms),
        is_final: cause.is_some(),
        refusals: refusals.map(|report| (ended_ms, report.clone())).collect(),
        causes: cause.into_iter().collect(),
        ..TryStory::default()
    }];
    StoryUpdate::without_journal(HOST, story)
}

async fn fill(site: &CheckedHost) {
    let denied =
        |image: &str| Some(CauseReport::new(FailureCause::ImageDenied).with("image", image));
    let full = CauseReport::new(FailureCause::NoCapacity).with("zones", "a, b and c");
    let jobs = vec![
        // It was received long before the hour in which it failed.
        job(11, (170, 5), denied("acme/ci@stable")),
        job(12, (20, 10), denied("acme/ci@stable")),
        job(13, (20, 20), denied("acme/node@stable")),
        job(14, (20, 2), Some(full)),
        // Not of the last hour, and no failure.
        job(15, (20, 90), denied("acme/ci@stable")),
        job(16, (20, 5), None),
        job(17, (20, 8 * 24 * 60), None),
    ];
    let database = HistoryLocation::Sqlite(site.state_dir().join("history.db"));
    let store = HistoryStore::open(&database).await.expect("a database").store;
    store.put(jobs).await.expect("a history that can be written");
    store.close().await;
}

/// Where the links of a page to lists of failures lead.
fn failure_lists(page: &HttpAnswer) -> Vec<String> {
    let text = page.text();
    let addresses = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let lists = addresses.filter(|address| address.contains("verdict=failed,system,timed_out"));
    lists.map(|address| address.replace("&amp;", "&")).collect()
}

#[tokio::test]
async fn each_number_of_failures_is_the_length_of_the_list_that_it_leads_to() {
    let site = CheckedHost::open().await;
    let running = site.prepared().await;
    fill(&site).await;
    let server = StatusServer::of(&site).await;
    let slots = |now: &serde_json::Value| {
        let limits = now["limits"].as_array().expect("limits").clone();
        limits.iter().find(|it| it["name"] == "Slots").map(|it| it["used"].clone())
    };
    let all =
        server.json_once("/api/v1/now", |now| slots(now) == Some(serde_json::json!(1.0))).await;
    let now = server.json(&format!("/api/v1/now?host={HOST}")).await;
    assert_eq!(now["counts"]["failed_1h_system"], 4, "{now}");
    assert_eq!(now["refused_capacity"], 1, "a job that gave up was refused: {now}");
    assert_eq!(slots(&now), slots(&all), "other jobs use what this host has, too");
    let nowhere = server.json("/api/v1/now?host=nowhere").await;
    assert_eq!(nowhere["counts"]["failed_1h_system"], 0);
    assert_eq!(nowhere["attention"], serde_json::json!([]));
    let rows = now["attention"].as_array().expect("causes").iter();
    let mut rows: Vec<_> = rows.map(|row| (row["object"].as_str(), row["jobs"].as_u64())).collect();
    rows.sort_unstable();
    let expected = [("a, b and c", 1), ("acme/ci@stable", 2), ("acme/node@stable", 1)];
    assert_eq!(rows, expected.map(|(object, jobs)| (Some(object), Some(jobs))));

    let page = server.get_as(&format!("/?host={HOST}"), &[("accept", "text/html")]).await;
    let lists = failure_lists(&page);
    assert_eq!(lists.len(), 4, "{lists:?}");
    for list in &lists {
        let listed = server.json(&list.replace("/history", "/api/v1/jobs")).await;
        assert_eq!(listed["notices"], serde_json::json!([]), "{list}");
        let counted = match list {
            list if list.contains("&object=a,+b+and+c&") => 1,
            list if list.contains("&object=acme%2Fci%40stable&") => 2,
            list if list.contains("&object=acme%2Fnode%40stable&") => 1,
            list => {
                assert!(!list.contains("object="), "{list}");
                4
            }
        };
        assert_eq!(listed["total"], counted, "{list}: {listed}");
        let shown = server.get_as(list, &[("accept", "text/html")]).await.text();
        assert_eq!(shown.matches("<tr data-row=").count(), counted, "{list}");
    }
    running.cleanup().await.passed();
    server.close().await;
    site.close().await;
}

#[tokio::test]
async fn a_job_is_found_by_its_id_whatever_its_age() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    fill(&site).await;
    let server = StatusServer::of(&site).await;
    let found = server.json_once("/api/v1/jobs?q=gl-700017", |json| json["total"] == 1).await;
    assert_eq!(found["rows"][0]["id"], "gl-700017");
    assert_eq!(found["notices"][0], "`gl-700017` is looked for in the whole history.");
    let key = JobKey::from_bits([17; 32]);
    let by_key = server.json(&format!("/api/v1/jobs?q={key}")).await;
    assert_eq!(by_key["rows"][0]["id"], "gl-700017", "{by_key}");
    let named = server.json("/api/v1/jobs?q=gl-700017&last=1h").await;
    assert_eq!((&named["total"], &named["notices"]), (&0.into(), &serde_json::json!([])));
    let csv = server.get("/api/v1/jobs?q=gl-700017&format=csv").await.text();
    assert!(csv.contains("gl-700017"), "{csv}");
    let wrong = server.get_as("/jobs/gl-70001x", &[("accept", "text/html")]).await;
    assert_eq!(wrong.status, 404);
    assert!(wrong.text().contains("href=\"/jobs/gl-700017\""), "{}", wrong.text());
    server.close().await;
    site.close().await;
}
