//! Endpoints and tasks over IPv6, and tasks with a public address, which the driver dials or does
//! not dial.

use fargate_local_cloud::{CloudFault, IPV6_SUBNET};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::{block, plays, reaches_all};

/// EC2 does not report the public address yet.
fn not_yet() -> CloudFault {
    CloudFault::Failure { reason: String::new(), detail: None }
}

fn asked_for(site: &CheckedHost, operation: &str) -> serde_json::Value {
    let requests = site.cloud().requests();
    let request = requests.iter().find(|request| request.operation == operation);
    request.unwrap_or_else(|| panic!("no {operation}")).body.clone()
}

#[tokio::test]
async fn an_endpoint_may_be_an_ipv6_address() {
    let site = CheckedHost::open_with(|options| options.listen = "[::1]:0".parse().unwrap()).await;
    assert!(site.cloud().endpoint().starts_with("http://[::1]:"));
    site.set("defaults.public_ip", "dialled");
    let job = site.job_with(reaches_all(&site));
    plays(&job).await;
    site.close().await;
}

#[tokio::test]
async fn an_https_endpoint_may_be_an_ipv6_address() {
    let site = CheckedHost::open_with(|options| {
        options.listen = "[::1]:0".parse().unwrap();
        options.tls = true;
    })
    .await;
    let path = site.folder().join("authority.pem");
    let pem = site.cloud().authority().expect("a cloud with TLS").to_owned();
    std::fs::write(&path, pem).expect("a writable folder");
    let job = site.job_with(|job| job.set("AWS_CA_BUNDLE", path));
    plays(&job).await;
    site.close().await;
}

#[tokio::test]
async fn a_task_without_ipv4_is_dialled_at_its_ipv6_address() {
    let site = CheckedHost::open().await;
    site.set("defaults.subnets", vec![IPV6_SUBNET]);
    let job = site.job();
    job.prepare().await.passed();
    let address = job.state().expect("a state file")["address"].clone();
    assert!(address.as_str().is_some_and(|text| text.starts_with("[::1]:")), "{address}");
    let ended = job.run("echo over six").await.with_code(0);
    assert_eq!(ended.out(), "over six\n");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_public_address_is_dialled_where_the_file_says_so() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_EC2", site.cloud().endpoint()));
    let ended = job.prepare().await.with_code(0);
    let task = site.task_of(&job);
    let public = task.public_address.expect("a public address").to_string();
    let address = job.state().expect("a state file")["address"].clone();
    assert!(address.as_str().is_some_and(|text| text.starts_with(&public)), "{address}");
    assert!(ended.out().contains(&format!("{public}, its public address")), "{}", ended.out());
    let before = task.public_connections;
    assert!(before > 0);
    job.run("true").await.passed();
    assert!(site.task_of(&job).public_connections > before);
    let network = &asked_for(&site, "RunTask")["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["assignPublicIp"], "ENABLED");
    let ec2 = asked_for(&site, "DescribeNetworkInterfaces");
    assert!(ec2["NetworkInterfaceId.1"].as_str().is_some_and(|id| id.starts_with("eni-")));
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_assigned_public_address_is_for_egress_and_ec2_is_not_asked() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "assigned");
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(0);
    assert!(ended.out().contains("with a public address for egress"), "{}", ended.out());
    let task = site.task_of(&job);
    assert!(task.public_address.is_some());
    assert_eq!((task.public_connections, site.calls("DescribeNetworkInterfaces")), (0, 0));
    job.run("true").await.passed();
    assert_eq!(site.task_of(&job).public_connections, 0);
    site.close().await;
}

#[tokio::test]
async fn without_the_key_a_task_gets_no_public_address() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let network = &asked_for(&site, "RunTask")["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["assignPublicIp"], "DISABLED");
    assert_eq!(site.task_of(&job).public_address, None);
    site.close().await;
}

#[tokio::test]
async fn ec2_is_asked_again_while_it_knows_no_public_address_or_answers_oddly() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    let answer = |status, body: &str| CloudFault::Answer { status, body: body.to_owned() };
    let gone = "<Response><Errors><Error><Code>InvalidNetworkInterfaceID.NotFound</Code>\
                <Message>The networkInterface ID 'eni-1' does not exist</Message></Error></Errors>\
                <RequestID>r</RequestID></Response>";
    let faults = [
        not_yet(),
        answer(400, gone),
        answer(200, "<html>not XML of EC2's"),
        answer(200, &"x".repeat(2 * 1024 * 1024)),
        answer(
            503,
            "<Response><Errors><Error><Code>Unavailable</Code></Error></Errors></Response>",
        ),
        answer(503, "RequestLimitExceeded"),
        CloudFault::LostAnswer,
        not_yet(),
    ];
    let count = faults.len();
    faults.into_iter().for_each(|fault| site.cloud().fail("DescribeNetworkInterfaces", fault));
    let job = site.job_with(reaches_all(&site));
    plays(&job).await;
    // Once it is known, it is not asked for again.
    assert_eq!(site.calls("DescribeNetworkInterfaces"), count + 1);
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_never_gets_its_public_address_is_stopped_with_that_reason() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    site.set("defaults.timeouts.agent_start", "300ms");
    site.cloud().fail_until_cleared("DescribeNetworkInterfaces", not_yet());
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: the task got no public address");
    assert!(
        ended.out().contains("aws ec2 describe-network-interfaces --network-interface-ids eni-")
    );
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn without_the_right_to_ask_ec2_the_right_is_named() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    site.cloud().deny("ec2:DescribeNetworkInterfaces");
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: this host's role may not ec2:DescribeNetworkInterfaces
      EC2: "UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ec2:DescribeNetworkInterfaces because no identity-based policy allows the ec2:DescribeNetworkInterfaces action"
      Fix: allow exactly this action
        aws sts get-caller-identity
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: not-allowed
    "#);
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_ec2_without_words_for_a_denial_has_its_right_named_all_the_same() {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    let fault = CloudFault::Exception {
        status: 403,
        code: "UnauthorizedOperation".to_owned(),
        message: "You are not authorized to perform this operation.".to_owned(),
    };
    site.cloud().fail_until_cleared("DescribeNetworkInterfaces", fault);
    let job = site.job_with(reaches_all(&site));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let expected = "error: this host's role may not ec2:DescribeNetworkInterfaces";
    assert_eq!(ended.error_line(), expected);
    job.cleanup().await.passed();
    site.close().await;
}
