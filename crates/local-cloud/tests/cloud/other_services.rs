//! The services besides ECS: STS gives keys that ECS accepts, EC2 describes the network of tasks, and each
//! service refuses in its own words.

use std::time::{Duration, SystemTime};

use crate::client::{KEY, call, eventually, query, run_task, send, serve};
use fargate_local_cloud::{CloudFault, CloudTaskPhase, IssuedCredentials};

/// The pair that a cloud accepts from its start on.
fn own_keys() -> IssuedCredentials {
    IssuedCredentials {
        access_key_id: KEY.0.to_owned(),
        secret_access_key: KEY.1.to_owned(),
        session_token: String::new(),
        expires_at: SystemTime::now(),
    }
}

fn inner(body: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let from = body.find(&open).unwrap_or_else(|| panic!("no {name} in {body}")) + open.len();
    body[from..].split(&close).next().expect("an end").to_owned()
}

fn assume(role: &str, external_id: &str) -> String {
    format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=a-test&\
         ExternalId={external_id}"
    )
}

#[tokio::test]
async fn a_role_gives_keys_that_every_service_takes_with_their_token() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let role = cloud.add_role("eu-west-1", "ci", Some("x-1"));
    let answer = query(&endpoint, "sts", &assume(&role, "x-1"), &own_keys()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(inner(&answer.text, "Arn"), "arn:aws:sts::123456789012:assumed-role/ci/a-test");
    let keys = IssuedCredentials {
        access_key_id: inner(&answer.text, "AccessKeyId"),
        secret_access_key: inner(&answer.text, "SecretAccessKey"),
        session_token: inner(&answer.text, "SessionToken"),
        expires_at: SystemTime::now(),
    };
    assert!(inner(&answer.text, "Expiration").ends_with('Z'));
    let subnets = "Action=DescribeSubnets&Version=2016-11-15";
    let answer = query(&endpoint, "ec2", subnets, &keys).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.text.matches("<subnetId>").count(), 4, "{}", answer.text);
    assert!(answer.text.contains("<availabilityZone>eu-west-1b</availabilityZone>"));
    let without_token = IssuedCredentials { session_token: String::new(), ..keys };
    let answer = query(&endpoint, "ec2", subnets, &without_token).await;
    assert_eq!((answer.status, inner(&answer.text, "Code").as_str()), (401, "AuthFailure"));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_key_that_expires_is_refused_from_then_on_and_another_one_is_not() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let subnets = "Action=DescribeSubnets&Version=2016-11-15";
    let [one, other] = [(); 2].map(|()| cloud.issue_credentials(Duration::from_secs(900)));
    cloud.set_faults("DescribeSubnets calls 2-3: expire".parse().expect("a rule"));
    assert_eq!(query(&endpoint, "ec2", subnets, &one).await.status, 200);
    for keys in [&one, &own_keys(), &one] {
        let answer = query(&endpoint, "ec2", subnets, keys).await;
        assert_eq!((answer.status, inner(&answer.text, "Code").as_str()), (400, "RequestExpired"));
    }
    // A request whose key was refused is not counted by rules.
    assert_eq!(cloud.faults()[0].struck, 2);
    for keys in [&other, &own_keys()] {
        assert_eq!(query(&endpoint, "ec2", subnets, keys).await.status, 200);
    }
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_role_is_refused_by_sts_in_its_own_words() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let role = cloud.add_role("eu-west-1", "ci", Some("x-1"));
    for form in [assume(&role, "x-2"), assume(&role.replace("ci", "none"), "x-1")] {
        let answer = query(&endpoint, "sts", &form, &own_keys()).await;
        assert_eq!((answer.status, inner(&answer.text, "Code").as_str()), (403, "AccessDenied"));
        let message = inner(&answer.text, "Message");
        assert!(message.contains("is not authorized to perform: sts:AssumeRole"), "{message}");
        assert!(answer.headers.contains("content-type: text/xml"), "{}", answer.headers);
    }
    let short = "Action=AssumeRole&Version=2011-06-15&RoleArn=x&RoleSessionName=a";
    let answer = query(&endpoint, "sts", short, &own_keys()).await;
    assert_eq!((answer.status, inner(&answer.text, "Code").as_str()), (400, "ValidationError"));
    let other = query(&endpoint, "sts", "Action=GetNothing&Version=2011-06-15", &own_keys()).await;
    assert_eq!((other.status, inner(&other.text, "Code").as_str()), (400, "InvalidAction"));
    // A signature for one service is not valid for another.
    let answer = query(&endpoint, "ec2", &assume(&role, "x-1"), &own_keys()).await;
    let said = (answer.status, inner(&answer.text, "Code"));
    assert_eq!(said, (403, "SignatureDoesNotMatch".to_owned()));
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_interface_of_a_task_has_its_public_address_once_ec2_reports_it() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let mut request = run_task();
    request["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] = "ENABLED".into();
    cloud.fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let task = call(&endpoint, "RunTask", request).await["tasks"][0]["taskArn"].clone();
    let public = eventually("its public address", || cloud.tasks()[0].public_address).await;
    let described =
        call(&endpoint, "DescribeTasks", serde_json::json!({"cluster": "ci", "tasks": [task]}))
            .await;
    let details = described["tasks"][0]["attachments"][0]["details"].clone();
    let details = details.as_array().expect("details");
    let id = details.iter().find(|detail| detail["name"] == "networkInterfaceId");
    let id = id.and_then(|detail| detail["value"].as_str()).expect("an id");
    let form =
        format!("Action=DescribeNetworkInterfaces&Version=2016-11-15&NetworkInterfaceId.1={id}");
    let late = CloudFault::Failure { reason: String::new(), detail: None };
    cloud.fail("DescribeNetworkInterfaces", late);
    let answer = query(&endpoint, "ec2", &form, &own_keys()).await;
    assert!(answer.status == 200 && !answer.text.contains("association"), "{answer:?}");
    let answer = query(&endpoint, "ec2", &form, &own_keys()).await;
    assert_eq!(inner(&answer.text, "publicIp"), public.to_string());
    assert_eq!(inner(&answer.text, "networkInterfaceId"), id);
    let answer = query(&endpoint, "ec2", &form.replace("eni-", "eni-0"), &own_keys()).await;
    let said = (answer.status, inner(&answer.text, "Code"));
    assert_eq!(said, (400, "InvalidNetworkInterfaceID.NotFound".to_owned()));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_right_that_was_taken_away_is_refused_in_the_words_of_each_service() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    for right in ["ecs:TagResource", "ecs:ListTasks", "ec2:DescribeSubnets"] {
        cloud.deny(right);
    }
    let mut tagged = run_task();
    tagged["tags"] = serde_json::json!([{"key": "a", "value": "b"}]);
    let answer = send(&endpoint, "RunTask", tagged.to_string()).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.json()),
        (
            400,
            serde_json::json!({
                "__type": "AccessDeniedException",
                "message": "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: \
                            ecs:TagResource on resource: \
                            arn:aws:ecs:eu-west-1:123456789012:task/ci/* because no identity-based \
                            policy allows the ecs:TagResource action",
            })
        )
    );
    assert_eq!(cloud.tasks().len(), 0);
    let answer = send(&endpoint, "ListTasks", "{}".to_owned()).await.expect("an answer");
    assert_eq!(answer.json()["__type"], "AccessDeniedException");
    let subnets = "Action=DescribeSubnets&Version=2016-11-15";
    let answer = query(&endpoint, "ec2", subnets, &own_keys()).await;
    let said = (answer.status, inner(&answer.text, "Code"));
    assert_eq!(said, (403, "UnauthorizedOperation".to_owned()));
    cloud.allow("ec2:DescribeSubnets");
    assert_eq!(query(&endpoint, "ec2", subnets, &own_keys()).await.status, 200);
    cloud.shutdown().await;
}
