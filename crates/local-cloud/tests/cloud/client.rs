//! A small client. It signs with the AWS SDK's signer and speaks HTTP over a plain socket, so that a test
//! sees every byte.

use std::future::ready;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use fargate_local_cloud::{AccessKeyPair, CloudOptions, LocalCloud};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two checks.
const AGAIN: Duration = Duration::from_millis(5);

/// The keys that the clouds of these tests accept.
pub const KEY: (&str, &str) =
    ("AKIAIOSFODNN7NEIGHBOR", "nobody-guesses-what-these-tests-sign-with");

/// Options of a cloud without delays that accepts [`KEY`]. No test here needs the agent.
pub fn options() -> CloudOptions {
    let access_keys = Some(AccessKeyPair::new(KEY.0, KEY.1));
    CloudOptions { access_keys, ..CloudOptions::new("no-agent-here") }
}

/// Starts a cloud with these options.
pub async fn serve() -> LocalCloud {
    LocalCloud::serve(options()).await.expect("a cloud")
}

/// An answer.
#[derive(Debug)]
pub struct CloudTestAnswer {
    pub status: u16,
    pub headers: String,
    pub text: String,
}

impl CloudTestAnswer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }
}

/// Calls an operation and expects 200.
pub async fn call(endpoint: &str, operation: &str, body: Value) -> Value {
    let answer = send(endpoint, operation, body.to_string()).await.expect("an answer");
    assert_eq!(answer.status, 200, "{operation}: {answer:?}");
    answer.json()
}

/// Sends one signed request.
pub async fn send(endpoint: &str, operation: &str, body: String) -> io::Result<CloudTestAnswer> {
    let (host, operation) = (endpoint.replace("http://", ""), operation.to_owned());
    spawn_blocking(move || exchange(&host, &request(&host, &operation, &body)))
        .await
        .expect("no panic in the client")
}

/// Sends a signed request of `service` that names another host than the one it is sent to, or has more
/// headers.
pub async fn send_otherwise(
    endpoint: &str,
    service: &'static str,
    host: &str,
    more_headers: &str,
) -> CloudTestAnswer {
    let form = |text: &str| {
        let headers = vec![("content-type", "application/x-www-form-urlencoded")];
        (headers, text.to_owned())
    };
    let (headers, body) = match service {
        "sts" => form("Action=AssumeRole&Version=2011-06-15"),
        "ec2" => form("Action=DescribeSubnets&Version=2016-11-15"),
        "logs" => (vec![("x-amz-target", "Logs_20140328.GetLogEvents")], "{}".to_owned()),
        _ => {
            let target = "AmazonEC2ContainerServiceV20141113.RunTask";
            (vec![("x-amz-target", target)], run_task().to_string())
        }
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let keys = Credentials::new(KEY.0, KEY.1, None, None, "a test");
    let request = signed(host, service, headers.collect(), &body, keys);
    let request = request.replacen("\r\n", &format!("\r\n{more_headers}"), 1);
    send_raw(endpoint, request).await.expect("an answer")
}

/// Sends bytes as they are.
pub async fn send_raw(endpoint: &str, request: String) -> io::Result<CloudTestAnswer> {
    let host = endpoint.replace("http://", "");
    spawn_blocking(move || exchange(&host, &request)).await.expect("no panic in the client")
}

/// Sends a signed request and keeps the connection open.
pub fn kept_open(host: &str, operation: &str, body: &str) -> String {
    request(host, operation, body).replace("connection: close\r\n", "")
}

fn request(host: &str, operation: &str, body: &str) -> String {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let headers = vec![
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), target),
    ];
    let keys = Credentials::new(KEY.0, KEY.1, None, None, "a test");
    signed(host, "ecs", headers, body, keys)
}

fn form_request(
    host: &str,
    service: &str,
    form: &str,
    keys: &fargate_local_cloud::IssuedCredentials,
) -> String {
    let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let token = Some(keys.session_token.clone()).filter(|token| !token.is_empty());
    let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
    let keys = Credentials::new(id, secret, token, None, "a test");
    signed(host, service, headers, form, keys)
}

/// A request that the signer of the AWS SDK signed.
fn signed(
    host: &str,
    service: &str,
    mut headers: Vec<(String, String)>,
    body: &str,
    keys: Credentials,
) -> String {
    let identity = keys.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("complete parameters")
        .into();
    headers.push(("host".to_owned(), host.to_owned()));
    let signable = SignableRequest::new(
        "POST",
        format!("http://{host}/"),
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        SignableBody::Bytes(body.as_bytes()),
    )
    .expect("a signable request");
    let (instructions, _) = sign(signable, &params).expect("a signature").into_parts();
    headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn exchange(host: &str, request: &str) -> io::Result<CloudTestAnswer> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (headers, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))?;
    let status = headers.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Ok(CloudTestAnswer { status, headers: headers.to_lowercase(), text: body.to_owned() })
}

/// RunTask for the seeded resources.
pub fn run_task() -> Value {
    json!({
        "cluster": "ci",
        "taskDefinition": "ci-job",
        "launchType": "FARGATE",
        "networkConfiguration":
            {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}},
    })
}

/// Returns what `check` gives, once it gives something.
pub async fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    eventually_found(what, || ready(check())).await
}

/// As [`eventually`], where the check itself waits for answers.
pub async fn eventually_found<T, Check>(what: &str, mut check: impl FnMut() -> Check) -> T
where
    Check: Future<Output = Option<T>>,
{
    let mut checks = interval(AGAIN);
    // The pause comes even after a check that took long.
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let found = timeout(PATIENCE, async {
        loop {
            checks.tick().await;
            if let Some(found) = check().await {
                break found;
            }
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// Calls an operation of CloudWatch Logs, and gives the answer as it is.
pub async fn logs(endpoint: &str, operation: &str, body: Value) -> CloudTestAnswer {
    json_call(endpoint, "logs", format!("Logs_20140328.{operation}"), body).await
}

/// Calls an operation of Secrets Manager, and gives the answer as it is.
pub async fn secrets(endpoint: &str, operation: &str, body: Value) -> CloudTestAnswer {
    json_call(endpoint, "secretsmanager", format!("secretsmanager.{operation}"), body).await
}

/// Calls an operation of the Parameter Store.
pub async fn parameters(endpoint: &str, operation: &str, body: Value) -> CloudTestAnswer {
    json_call(endpoint, "ssm", format!("AmazonSSM.{operation}"), body).await
}

async fn json_call(
    endpoint: &str,
    service: &'static str,
    target: String,
    body: Value,
) -> CloudTestAnswer {
    let host = endpoint.replace("http://", "");
    let headers = vec![
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target".to_owned(), target),
    ];
    let keys = Credentials::new(KEY.0, KEY.1, None, None, "a test");
    let request = signed(&host, service, headers, &body.to_string(), keys);
    spawn_blocking(move || exchange(&host, &request))
        .await
        .expect("no panic in the client")
        .expect("an answer")
}

/// Calls an operation of a query service with these keys, and gives the answer as it is.
pub async fn query(
    endpoint: &str,
    service: &'static str,
    form: &str,
    keys: &fargate_local_cloud::IssuedCredentials,
) -> CloudTestAnswer {
    let host = endpoint.replace("http://", "");
    let request = form_request(&host, service, form, keys);
    spawn_blocking(move || exchange(&host, &request))
        .await
        .expect("no panic in the client")
        .expect("an answer")
}
