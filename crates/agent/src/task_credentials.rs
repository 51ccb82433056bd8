//! The temporary credentials of the task's own role, from the endpoint that the container's
//! variables name.
//!
//! It asks an IP address over plain HTTP, and never looks up a host name: a static glibc must not
//! use NSS. It keeps nothing, because each proof of the host key needs them once.
//!
//! Source: Amazon ECS Developer Guide, "Task IAM role"; AWS SDKs and Tools Reference Guide,
//! "Container credential provider".

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fargate_model::text::duration;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// The path at the address of ECS. Fargate sets it if the task has a role.
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// A whole URL, for everything that is not ECS.
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// Where ECS answers. Source: as above.
const OF_ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// Longest time for all tries together. It is less than a driver waits for the agent's hello.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause before another try.
const AGAIN: Duration = Duration::from_millis(200);
/// Longest answer that is read, in bytes. That of ECS has about 2 KiB.
const LONGEST: u64 = 64 * 1024;

/// Where the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsEndpoint {
    address: SocketAddr,
    path: String,
}

/// Credentials of the task's role.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub token: String,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum TaskCredentialsError {
    #[error("the task has no task role: neither {RELATIVE} nor {FULL} is set in its container")]
    NoRole,
    #[error(
        "{0} is not http:// with an IP address and a path, or a path in the case of {RELATIVE}"
    )]
    Address(&'static str),
    #[error(
        "the task's credentials endpoint {endpoint} did not answer within {}",
        duration(PATIENCE)
    )]
    Silent { endpoint: SocketAddr },
    #[error("asking the task's credentials endpoint {endpoint}")]
    Broken { endpoint: SocketAddr, source: std::io::Error },
    #[error("the task's credentials endpoint {endpoint} answered {status}")]
    Refused { endpoint: SocketAddr, status: String },
    #[error("the answer of the task's credentials endpoint {endpoint} {what}")]
    Unreadable { endpoint: SocketAddr, what: &'static str },
}

impl TaskCredentialsError {
    /// Whether another try may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Refused { status, .. } => status.starts_with('5') || status == "429",
            Self::NoRole | Self::Address(_) | Self::Silent { .. } | Self::Unreadable { .. } => {
                false
            }
        }
    }
}

impl CredentialsEndpoint {
    /// Reads the container's variables. `variable` answers as the environment does.
    ///
    /// Any IP address is accepted. Whoever can set these variables also chooses the image and the
    /// command, so a list of allowed addresses would stop nobody.
    ///
    /// # Errors
    ///
    /// Returns [`TaskCredentialsError::NoRole`] if there is no such variable, and
    /// [`TaskCredentialsError::Address`] if its value cannot be used.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self, TaskCredentialsError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        // The SDKs prefer the relative one as well.
        if let Some(path) = given(RELATIVE) {
            return Self::new(SocketAddr::from((OF_ECS, 80)), &path)
                .ok_or(TaskCredentialsError::Address(RELATIVE));
        }
        let url = given(FULL).ok_or(TaskCredentialsError::NoRole)?;
        Self::of_url(&url).ok_or(TaskCredentialsError::Address(FULL))
    }

    fn of_url(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/')?);
        let address = authority.parse().ok().or_else(|| {
            let ip = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let ip: IpAddr = ip.unwrap_or(authority).parse().ok()?;
            Some(SocketAddr::new(ip, 80))
        })?;
        Self::new(address, path)
    }

    /// The path becomes part of a request line, so it holds no blanks and no line ends.
    fn new(address: SocketAddr, path: &str) -> Option<Self> {
        let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        is_path.then(|| Self { address, path: path.to_owned() })
    }

    /// Asks for the credentials. What may pass is tried again for some seconds.
    ///
    /// # Errors
    ///
    /// Returns [`TaskCredentialsError`] if no credentials came in time.
    pub async fn ask(&self) -> Result<TaskCredentials, TaskCredentialsError> {
        let endpoint = self.address;
        let deadline = Instant::now() + PATIENCE;
        let mut last = TaskCredentialsError::Silent { endpoint };
        loop {
            let error = match timeout_at(deadline, self.ask_once()).await {
                Ok(Ok(credentials)) => return Ok(credentials),
                Ok(Err(error)) => error,
                Err(_) => return Err(last),
            };
            if !error.may_pass() || Instant::now() + AGAIN >= deadline {
                return Err(error);
            }
            last = error;
            sleep(AGAIN).await;
        }
    }

    async fn ask_once(&self) -> Result<TaskCredentials, TaskCredentialsError> {
        let endpoint = self.address;
        let answer = self.exchange().await;
        let answer = answer.map_err(|source| TaskCredentialsError::Broken { endpoint, source })?;
        read(endpoint, &answer)
    }

    /// Sends the request and reads until the server closes. The version of HTTP is 1.0, so the
    /// server does not cut its answer into chunks.
    async fn exchange(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        let Self { address, path } = self;
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\
             User-Agent: {}\r\nConnection: close\r\n\r\n",
            crate::VERSION
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST + 1).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// The credentials in an answer of HTTP.
fn read(endpoint: SocketAddr, answer: &[u8]) -> Result<TaskCredentials, TaskCredentialsError> {
    let unreadable = |what| TaskCredentialsError::Unreadable { endpoint, what };
    if answer.len() as u64 > LONGEST {
        return Err(unreadable("is too long"));
    }
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.ok_or(unreadable("is no HTTP"))? + 4);
    let head = String::from_utf8_lossy(head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().filter(|status| is_http && status.len() == 3);
    let status = status.ok_or(unreadable("is no HTTP"))?;
    if status != "200" {
        let status = status.to_owned();
        return Err(TaskCredentialsError::Refused { endpoint, status });
    }
    serde_json::from_slice(body).map_err(|_| unreadable("holds no credentials"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn found(name: &str, value: &str) -> Result<CredentialsEndpoint, String> {
        let variable = |asked: &str| (asked == name).then(|| value.to_owned());
        CredentialsEndpoint::find(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn the_endpoint_of_ecs_is_an_address_and_the_path_of_the_variable() {
        let ecs = found(RELATIVE, "/v2/credentials/1-2").unwrap();
        assert_eq!(ecs.address.to_string(), "169.254.170.2:80");
        assert_eq!(ecs.path, "/v2/credentials/1-2");
        let local = found(FULL, "http://127.0.0.1:4000/x").unwrap();
        assert_eq!(
            (local.address.to_string(), local.path.as_str()),
            ("127.0.0.1:4000".to_owned(), "/x")
        );
        assert_eq!(found(FULL, "http://[::1]/x").unwrap().address.to_string(), "[::1]:80");
        assert_eq!(found(FULL, "http://[::1]:81/x").unwrap().address.to_string(), "[::1]:81");
        let both = |_: &str| Some("/p".to_owned());
        assert_eq!(CredentialsEndpoint::find(both).unwrap().address.ip(), OF_ECS);
    }

    #[test]
    fn no_variable_means_no_role_and_no_host_name_is_ever_looked_up() {
        let none = found("PATH", "/bin").unwrap_err();
        insta::assert_snapshot!(none, @"the task has no task role: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set in its container");
        for odd in [
            "http://localhost/x",
            "https://127.0.0.1/x",
            "http://127.0.0.1",
            "x",
            "http://127.0.0.1/a b",
        ] {
            assert!(found(FULL, odd).unwrap_err().starts_with(FULL), "{odd}");
        }
        for odd in ["x", "/a\r\nHost: b", "http://127.0.0.1/"] {
            assert!(found(RELATIVE, odd).unwrap_err().starts_with(RELATIVE), "{odd}");
        }
    }

    /// Answers each connection with the next of these texts, after it has read the request.
    async fn served(answers: Vec<Vec<u8>>) -> (CredentialsEndpoint, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = CredentialsEndpoint::new(listener.local_addr().unwrap(), "/v2/x").unwrap();
        let serving = tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let byte = stream.read_u8().await.unwrap();
                    request.push(byte);
                }
                assert!(request.starts_with(b"GET /v2/x HTTP/1.0\r\n"));
                stream.write_all(&answer).await.unwrap();
            }
        });
        (endpoint, serving)
    }

    const GOOD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"RoleArn\":\"r\",\
        \"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"e\"}";

    #[tokio::test]
    async fn what_may_pass_is_asked_again() {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec();
        let slow = b"HTTP/1.1 429 Too Many Requests\r\n\r\n".to_vec();
        let (endpoint, serving) = served(vec![busy, slow, GOOD.to_vec()]).await;
        let got = endpoint.ask().await.unwrap();
        assert_eq!(got.access_key_id + &got.secret_access_key + &got.token, "ASIAst");
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn an_odd_answer_is_told_and_never_shown() {
        let long = [GOOD, &vec![b' '; 70_000]].concat();
        for (answer, expected) in [
            (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "answered 404"),
            (b"HTTP/1.1 200 OK\r\n\r\n{\"AccessKeyId\":\"canary\"}", "holds no credentials"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "holds no credentials"),
            (b"canary\r\n\r\n", "is no HTTP"),
            (b"", "is no HTTP"),
            (&long, "is too long"),
        ] {
            let (endpoint, serving) = served(vec![answer.to_vec()]).await;
            let said = endpoint.ask().await.err().expect("an error").to_string();
            assert!(said.ends_with(expected) && !said.contains("canary"), "{said}");
            serving.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_says_nothing_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = CredentialsEndpoint::new(listener.local_addr().unwrap(), "/").unwrap();
        let began = Instant::now();
        let error = endpoint.ask().await.err().expect("an error");
        assert!(matches!(error, TaskCredentialsError::Silent { .. }), "{error}");
        assert!(began.elapsed() <= PATIENCE + AGAIN);
    }
}
