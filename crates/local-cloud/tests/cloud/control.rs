//! The control endpoint over the wire, and the faults that can only be seen over the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::client::{
    CloudTestAnswer, PATIENCE, call, eventually, kept_open, options, query, run_task, send,
    send_raw, serve,
};
use fargate_local_cloud::{BucketRate, CloudOptions, CloudRateLimits, FaultRules, LocalCloud};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// One request of the control endpoint, with these headers.
async fn control(cloud: &LocalCloud, what: &str, headers: &str, body: &str) -> CloudTestAnswer {
    let host = cloud.endpoint().replace("http://", "");
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    send_raw(&cloud.endpoint(), request).await.expect("an answer")
}

const MINE: &str = "x-local-cloud: 1\r\n";

/// Sends a request with the header, and expects 200.
async fn ask(cloud: &LocalCloud, what: &str, body: &str) -> String {
    let answer = control(cloud, what, MINE, body).await;
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    answer.text
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// The error of a call, by name.
async fn code(cloud: &LocalCloud, operation: &str, body: &Value) -> String {
    let answer = send(&cloud.endpoint(), operation, body.to_string()).await.expect("an answer");
    answer.json()["__type"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn rules_are_given_shown_with_their_strikes_added_to_and_taken_back() {
    let cloud = serve().await;
    let list = json!({"cluster": "ci"});
    let given =
        "# for a while\nListTasks call 2: throttle\n\nListTasks call 3: server error # once\n";
    let shown = ask(&cloud, "PUT /_local/faults", given).await;
    assert_eq!(
        shown,
        "ListTasks call 2: throttle  # struck 0 times\n\
         ListTasks call 3: server error  # struck 0 times\n"
    );
    for expected in ["", "ThrottlingException", "ServerException", ""] {
        assert_eq!(code(&cloud, "ListTasks", &list).await, expected);
    }
    let shown = ask(&cloud, "POST /_local/faults", "ListTasks next call: hang").await;
    insta::assert_snapshot!(shown, @r"
    ListTasks call 2: throttle  # struck 1 time
    ListTasks call 3: server error  # struck 1 time
    ListTasks next call: hang  # struck 0 times
    ");
    assert_eq!(control(&cloud, "GET /_local/faults", "", "").await.text, shown);
    assert!(shown.parse::<FaultRules>().is_ok(), "what is shown can be given");
    let endpoint = cloud.endpoint();
    let waiting = tokio::spawn(async move { call(&endpoint, "ListTasks", list).await });
    eventually("the hanging call", || (cloud.struck().len() == 3).then_some(())).await;
    assert_eq!(ask(&cloud, "DELETE /_local/faults", "").await, "");
    assert_eq!(waiting.await.expect("no panic"), json!({"taskArns": []}));

    let struck = json_of(&ask(&cloud, "GET /_local/struck", "").await);
    assert_eq!(struck[0]["rule"], "ListTasks call 2: throttle");
    assert_eq!((&struck[0]["operation"], &struck[0]["request"]), (&json!("ListTasks"), &json!(2)));
    let requests = cloud.requests();
    assert_eq!((requests.len(), requests[1].number, requests[1].status), (5, 2, Some(400)));
    assert_eq!(cloud.struck().len(), 3, "the record stays");
    cloud.shutdown().await;
}

#[tokio::test]
async fn rules_that_make_no_sense_change_nothing_and_are_told() {
    let cloud = serve().await;
    ask(&cloud, "PUT /_local/faults", "any: throttle").await;
    for method in ["PUT", "POST"] {
        let what = format!("{method} /_local/faults");
        let answer = control(&cloud, &what, MINE, "any: throttle\nRunTask call 0: hang\n").await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.starts_with("line 2, `RunTask call 0: hang`: "), "{}", answer.text);
    }
    let long = "#".repeat(100_000);
    let answer = control(&cloud, "PUT /_local/faults", MINE, &long).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (400, "reading fault rules: they are longer than 65.5 KB\n")
    );
    assert_eq!(cloud.faults().len(), 1);
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "ThrottlingException");
    cloud.shutdown().await;
}

#[tokio::test]
async fn pages_of_other_sites_reach_nothing() {
    let cloud = serve().await;
    ask(&cloud, "PUT /_local/faults", "any: throttle").await;
    let (what, rules) = ("PUT /_local/faults", "RunTask: hang");
    let refused = async |what: &str, headers: &str| {
        let answer = control(&cloud, what, headers, rules).await;
        assert_eq!(answer.status, 403, "{what} {headers}: {answer:?}");
        assert!(!answer.headers.contains("access-control"), "{}", answer.headers);
        answer.text
    };
    assert_eq!(
        refused(what, "content-type: text/plain\r\n").await,
        "PUT /_local/faults changes the cloud, so the request needs the header X-Local-Cloud: 1\n"
    );
    for what in ["POST /_local/faults", "DELETE /_local/faults", "POST /_local/clock"] {
        refused(what, "").await;
    }
    refused(what, "x-local-cloud: 1\r\norigin: https://example.org\r\n").await;
    refused("GET /_local/faults", "origin: null\r\n").await;
    refused("GET /_local/tasks", "sec-fetch-site: cross-site\r\n").await;
    // A browser asks this before it sends such a header.
    refused("OPTIONS /_local/faults", "access-control-request-headers: x-local-cloud\r\n").await;
    for host in ["example.org", "127.0.0.1.example.org:80", "10.0.0.1", ""] {
        let raw =
            format!("GET /_local/tasks HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = send_raw(&cloud.endpoint(), raw).await.expect("an answer");
        assert_eq!(answer.status, 403, "{host}: {answer:?}");
    }
    assert_eq!(cloud.faults()[0].rule.to_string(), "any: throttle");
    assert_eq!(control(&cloud, "GET /_local", "sec-fetch-site: none\r\n", "").await.status, 200);
    cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is() {
    let cloud = serve().await;
    let answer = control(&cloud, "GET /_local/fault", MINE, "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains("/_local/fault does not exist"), "{}", answer.text);
    assert!(answer.text.contains("PUT    /_local/faults "), "{}", answer.text);
    let answer = control(&cloud, "DELETE /_local/tasks", MINE, "").await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (405, "/_local/tasks does not take DELETE; allowed: GET\n")
    );
    for wrong in ["", "soon", "-5s", "9999y", "\u{1b}[2J"] {
        let answer = control(&cloud, "POST /_local/clock", MINE, wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.text.contains("at most 366 days") && !answer.text.contains('\u{1b}'));
    }
    assert_eq!(json_of(&ask(&cloud, "GET /_local/clock", "").await)["movedSeconds"], 0.0);
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_clock_moves_on_request_and_credentials_tasks_and_rules_go_by_it() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let keys = cloud.issue_credentials(Duration::from_secs(3600));
    let form = "Action=DescribeSubnets&Version=2016-11-15";
    assert_eq!(query(&endpoint, "ec2", form, &keys).await.status, 200);
    ask(
        &cloud,
        "PUT /_local/faults",
        "ListClusters after 30m until 2h: throttle\ntask 1 at RUNNING: hold",
    )
    .await;
    let arn = call(&endpoint, "RunTask", run_task()).await["tasks"][0]["taskArn"].clone();
    eventually("RUNNING", || (cloud.tasks()[0].last_status == "RUNNING").then_some(())).await;
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "");

    let before = cloud.now();
    let clock = json_of(&ask(&cloud, "POST /_local/clock", " +1h1s\n").await);
    assert_eq!(clock["movedSeconds"], 3601.0);
    assert!(cloud.now() >= before + Duration::from_secs(3601));
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "ThrottlingException");
    let expired = query(&endpoint, "ec2", form, &keys).await;
    assert!(expired.text.contains("RequestExpired"), "{}", expired.text);
    let body = json!({"cluster": "ci", "task": arn});
    assert_eq!(call(&endpoint, "StopTask", body).await["task"]["desiredStatus"], "STOPPED");
    eventually("STOPPED", || (cloud.live_tasks() == 0).then_some(())).await;
    ask(&cloud, "POST /_local/clock", "1h").await;
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "", "the rule's time is over");
    let described =
        call(&endpoint, "DescribeTasks", json!({"cluster": "ci", "tasks": [arn]})).await;
    assert_eq!(described["failures"][0]["reason"], "MISSING", "ECS forgot the task");
    let task = &cloud.tasks()[0];
    assert!(task.stopped_at.expect("stopped") > SystemTime::now() + Duration::from_secs(3000));
    cloud.shutdown().await;
}

#[tokio::test]
async fn tasks_and_requests_are_listed_without_what_is_secret() {
    let cloud = serve().await;
    ask(&cloud, "PUT /_local/faults", "every task at PENDING: hold").await;
    let mut request = run_task();
    request["startedBy"] = json!("me");
    request["overrides"] = json!({"containerOverrides": [{"name": "job", "environment": [
        {"name": "SEED", "value": "canary-4711"},
        {"name": "FARGATE_RUNNER_JOB", "value": "0123456789abcdef"},
    ]}]});
    call(&cloud.endpoint(), "RunTask", request).await;
    let tasks = ask(&cloud, "GET /_local/tasks", "").await;
    let task = &json_of(&tasks)[0];
    assert_eq!((&task["number"], &task["startedBy"]), (&json!(1), &json!("me")));
    assert_eq!(task["job"], "0123456789abcdef");
    let requests = ask(&cloud, "GET /_local/requests", "").await;
    assert_eq!(json_of(&requests)[0]["operation"], "RunTask");
    assert_eq!(json_of(&requests).as_array().map(Vec::len), Some(1), "none of the control's own");
    assert!(!(tasks + &requests).contains("canary"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_call_about_a_task_meets_the_rule_for_it() {
    let cloud = serve().await;
    let key = "5f3ac07e".repeat(8);
    let rules = "every task at PENDING: hold\nStopTask for task 2: throttle\n\
                 RunTask for task of job 5f3ac07e: error BlockedException \"no\"\n\
                 DescribeTasks for task of family other: hang";
    cloud.set_faults(rules.parse().expect("rules"));
    let endpoint = cloud.endpoint();
    let mut arns = Vec::new();
    for _ in 0..2 {
        let task = &call(&endpoint, "RunTask", run_task()).await["tasks"][0];
        arns.push(task["taskArn"].as_str().expect("an ARN").to_owned());
    }
    let mut request = run_task();
    let job = json!([{"name": "FARGATE_RUNNER_JOB", "value": key}]);
    request["overrides"] = json!({"containerOverrides": [{"name": "job", "environment": job}]});
    assert_eq!(code(&cloud, "RunTask", &request).await, "BlockedException");
    let stop = |arn: &str| json!({"cluster": "ci", "task": arn});
    let id = arns[1].rsplit('/').next().expect("an id").to_owned();
    assert_eq!(code(&cloud, "StopTask", &stop(&arns[1])).await, "ThrottlingException");
    assert_eq!(code(&cloud, "StopTask", &stop(&id)).await, "ThrottlingException");
    assert_eq!(code(&cloud, "StopTask", &stop(&arns[0])).await, "");
    call(&endpoint, "DescribeTasks", json!({"cluster": "ci", "tasks": arns})).await;
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_connection_is_reset_before_or_after_the_effect() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    cloud.set_faults(
        "every task at PENDING: hold\nRunTask call 1: reset before commit\n\
         RunTask call 2: reset after commit"
            .parse()
            .expect("rules"),
    );
    for tasks in [0, 1] {
        let lost = send(&endpoint, "RunTask", run_task().to_string()).await;
        assert_eq!(lost.expect_err("no answer").kind(), ErrorKind::ConnectionReset);
        assert_eq!(cloud.tasks().len(), tasks);
    }
    assert!(cloud.requests().iter().all(|request| request.status.is_none()));
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_answer_trickles_byte_by_byte_from_its_head_on() {
    let cloud = serve().await;
    cloud.set_faults("ListClusters call 1: trickle 1h".parse().expect("a rule"));
    let endpoint = cloud.endpoint();
    let waiting = tokio::spawn(async move { call(&endpoint, "ListClusters", json!({})).await });
    eventually("the call", || (cloud.struck().len() == 1).then_some(())).await;
    eventually("the end, an hour for each byte", || {
        cloud.advance(Duration::from_secs(3600));
        waiting.is_finished().then_some(())
    })
    .await;
    assert_eq!(waiting.await.expect("no panic")["clusterArns"].as_array().map(Vec::len), Some(1));
    // The head and the body have some 250 bytes.
    assert!(cloud.now() > SystemTime::now() + Duration::from_secs(200 * 3600));
    cloud.shutdown().await;
}

#[tokio::test]
async fn after_an_answer_that_trickled_its_connection_is_as_fast_as_before() {
    let cloud = serve().await;
    let host = cloud.endpoint().replace("http://", "");
    cloud.set_faults("ListClusters call 1: trickle 1h".parse().expect("a rule"));
    let request = kept_open(&host, "ListClusters", "{}");
    let (told, answered) = std::sync::mpsc::channel();
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(&host).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        for _ in 0..2 {
            stream.write_all(request.as_bytes()).expect("a request");
            let mut answer = String::new();
            while !answer.ends_with("]}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a further byte");
                answer.push(char::from(byte[0]));
            }
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            told.send(()).expect("somebody waits");
        }
    });
    eventually("the answer, an hour for each byte", || {
        cloud.advance(Duration::from_secs(3600));
        answered.try_recv().ok()
    })
    .await;
    // From here on the clock is not moved.
    asking.await.expect("the second answer");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_hanging_call_goes_on_when_the_time_of_its_rule_is_over() {
    let cloud = serve().await;
    cloud.set_faults("ListClusters until 10m: hang".parse().expect("a rule"));
    let endpoint = cloud.endpoint();
    let waiting = tokio::spawn(async move { call(&endpoint, "ListClusters", json!({})).await });
    eventually("the call", || (cloud.struck().len() == 1).then_some(())).await;
    assert!(!waiting.is_finished());
    cloud.advance(Duration::from_secs(601));
    waiting.await.expect("an answer");
    call(&cloud.endpoint(), "ListClusters", json!({})).await;
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_answer_is_changed_where_the_rule_says() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    cloud.set_faults(
        "every task at PENDING: hold\n\
         DescribeTasks call 1: set /tasks/*/lastStatus = \"UNHEARD_OF\"\n\
         DescribeTasks call 2: remove /tasks/0/attachments\n\
         DescribeTasks call 3: answer 200 \"not JSON\"\n\
         DescribeTasks call 4: failure \"MISSING\" detail \"for a moment\""
            .parse()
            .expect("rules"),
    );
    let arn = call(&endpoint, "RunTask", run_task()).await["tasks"][0]["taskArn"].clone();
    let describe = json!({"cluster": "ci", "tasks": [arn]});
    let first = call(&endpoint, "DescribeTasks", describe.clone()).await;
    assert_eq!(first["tasks"][0]["lastStatus"], "UNHEARD_OF");
    let second = call(&endpoint, "DescribeTasks", describe.clone()).await;
    assert_eq!(
        (second["tasks"][0].get("attachments"), second["tasks"][0].get("taskArn")),
        (None, Some(&arn))
    );
    let third = send(&endpoint, "DescribeTasks", describe.to_string()).await.expect("an answer");
    assert_eq!((third.status, third.text.as_str()), (200, "not JSON"));
    let fourth = call(&endpoint, "DescribeTasks", describe).await;
    let failure = json!({"arn": arn, "reason": "MISSING", "detail": "for a moment"});
    assert_eq!(fourth["failures"], json!([failure]));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_realistic_cloud_throttles_in_the_words_of_aws_and_a_moved_clock_fills_its_buckets() {
    let limits = CloudRateLimits::of_aws()
        .with_calls(&["ListClusters"], BucketRate { burst: 3, per_second: 0.001 });
    let options = CloudOptions { limits, ..options() };
    let cloud = LocalCloud::serve(options).await.expect("a cloud");
    let mut said = Vec::new();
    for _ in 0..5 {
        let answer = send(&cloud.endpoint(), "ListClusters", "{}".to_owned()).await;
        said.push(answer.expect("an answer"));
    }
    let statuses: Vec<_> = said.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 400, 400]);
    assert_eq!(
        said[4].json(),
        json!({"__type": "ThrottlingException", "message": "Rate exceeded"})
    );
    cloud.advance(Duration::from_secs(1001));
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "");
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "ThrottlingException");
    cloud.shutdown().await;
}

#[tokio::test]
async fn each_service_has_its_own_name_for_a_caller_who_is_too_fast() {
    let cloud = serve().await;
    cloud.set_faults("any: throttle".parse().expect("a rule"));
    let keys = cloud.issue_credentials(Duration::from_secs(60));
    let endpoint = cloud.endpoint();
    let ec2 = query(&endpoint, "ec2", "Action=DescribeSubnets&Version=2016-11-15", &keys).await;
    assert_eq!(ec2.status, 503);
    assert!(ec2.text.contains("<Code>RequestLimitExceeded</Code>"), "{}", ec2.text);
    let form = "Action=AssumeRole&Version=2011-06-15";
    let sts = query(&endpoint, "sts", form, &keys).await;
    assert_eq!(sts.status, 400);
    assert!(sts.text.contains("<Code>ThrottlingException</Code>"), "{}", sts.text);
    assert_eq!(code(&cloud, "ListClusters", &json!({})).await, "ThrottlingException");
    cloud.shutdown().await;
}

#[tokio::test]
async fn through_tls_a_connection_is_reset_and_an_answer_trickles_as_well() {
    let options = CloudOptions { tls: true, ..options() };
    let cloud = LocalCloud::serve(options).await.expect("a cloud");
    let rules = "ListClusters call 1: reset after commit\nListClusters call 2: trickle 1h";
    cloud.set_faults(rules.parse().expect("rules"));
    let lost = secure(&cloud).await.expect_err("no answer");
    assert_eq!(lost.kind(), ErrorKind::ConnectionReset);
    let mut answering = Box::pin(secure(&cloud));
    let answer = loop {
        tokio::select! {
            answer = &mut answering => break answer.expect("an answer"),
            () = tokio::task::yield_now() => cloud.advance(Duration::from_secs(3600)),
        }
    };
    drop(answering);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("]}"), "{answer}");
    assert!(cloud.now() > SystemTime::now() + Duration::from_secs(200 * 3600));
    cloud.shutdown().await;
}

#[tokio::test]
async fn through_tls_a_page_reaches_no_service_either() {
    let options = CloudOptions { tls: true, ..options() };
    let cloud = LocalCloud::serve(options).await.expect("a cloud");
    let request = kept_open("evil.example", "ListClusters", "{}");
    let answer = secure_as(&cloud, &request, |answer| answer.ends_with('}')).await;
    let answer = answer.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("AccessDenied"), "{answer}");
    cloud.shutdown().await;
}

/// Asks for the clusters through TLS. Returns the whole answer.
async fn secure(cloud: &LocalCloud) -> std::io::Result<String> {
    let host = cloud.endpoint().replace("https://", "");
    let request = kept_open(&host, "ListClusters", "{}");
    secure_as(cloud, &request, |answer| answer.ends_with("]}")).await
}

/// Sends a request through TLS, and reads until the answer is whole.
async fn secure_as(
    cloud: &LocalCloud,
    request: &str,
    is_whole: impl Fn(&str) -> bool,
) -> std::io::Result<String> {
    let host = cloud.endpoint().replace("https://", "");
    let authority = cloud.authority().expect("it has one").as_bytes();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).expect("PEM")).expect("an authority");
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let stream = tokio::net::TcpStream::connect(&host).await?;
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    while !is_whole(&answer) {
        let read = timeout(PATIENCE, stream.read_u8()).await.expect("a further byte")?;
        answer.push(char::from(read));
    }
    Ok(answer)
}
