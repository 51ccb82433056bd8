//! Git repositories over HTTP on an address of this machine, by `git http-backend`.
//!
//! It serves reading to whoever reaches the port and refuses pushes: it is for jobs on this
//! machine, with made-up tokens. Requests, answers, their number at once and their time are
//! limited.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Largest request that is read: what a client wants and has.
const REQUEST_BYTES: usize = 1024 * 1024;
/// Largest answer that is passed on: a pack of the repository.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Requests that are answered at once.
const AT_ONCE: usize = 8;
/// Longest time for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// Longest wait for open connections when the server ends.
const GOODBYE: Duration = Duration::from_secs(2);

/// Commit date of every repository made here, so that its ids never change: 2026-01-01, in
/// seconds since 1970.
const COMMIT_TIME: u64 = 1_767_225_600;

/// A server of the repositories below one folder.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

#[derive(Clone)]
struct GitBackend {
    root: PathBuf,
    seats: Arc<Semaphore>,
}

impl GitServer {
    /// Serves `root` on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What kept it from listening.
    pub async fn serve(root: &Path) -> io::Result<Self> {
        Self::serve_at(root, Ipv4Addr::LOCALHOST.into()).await
    }

    /// Serves `root` on a free port of `address`, which jobs in another network may reach.
    ///
    /// # Errors
    ///
    /// What kept it from listening.
    pub async fn serve_at(root: &Path, address: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let backend =
            GitBackend { root: root.to_owned(), seats: Arc::new(Semaphore::new(AT_ONCE)) };
        let app = Router::new().fallback(answer).with_state(backend);
        let (stop, stopped) = oneshot::channel();
        let until = async {
            // A sender that is dropped also ends the server.
            let _ = stopped.await;
        };
        let serve = axum::serve(listener, app).with_graceful_shutdown(until);
        let serving = tokio::spawn(async move { serve.await });
        Ok(Self { address, stop, serving })
    }

    /// `ADDRESS:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Ends the server; connections that stay open longer than 2 s are cut.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        let mut serving = self.serving;
        if timeout(GOODBYE, &mut serving).await.is_err() {
            serving.abort();
            let _ = serving.await;
        }
    }
}

async fn answer(State(backend): State<GitBackend>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(seat) = backend.seats.clone().acquire_owned().await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    };
    let Ok(body) = to_bytes(body, REQUEST_BYTES).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let answer = match timeout(ANSWER_TIME, backend.run(&head, &body)).await {
        Ok(Ok(output)) => response_of(&output),
        Ok(Err(_)) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
        Err(_) => refusal(StatusCode::GATEWAY_TIMEOUT),
    };
    drop(seat);
    answer
}

impl GitBackend {
    /// One run of git's CGI program.
    async fn run(&self, head: &Parts, body: &[u8]) -> io::Result<Vec<u8>> {
        let header = |name: &str| {
            head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROTOCOL", header("git-protocol"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("REQUEST_METHOD", head.method.as_str())
            .env("PATH_INFO", head.uri.path())
            .env("QUERY_STRING", head.uri.query().unwrap_or_default())
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut output = Vec::new();
        let mut limited = stdout.take(ANSWER_BYTES + 1);
        let send = async {
            // git may answer before it has read everything; then it closes this pipe.
            let _ = stdin.write_all(body).await;
            drop(stdin);
        };
        let ((), read) = tokio::join!(send, limited.read_to_end(&mut output));
        read?;
        if u64::try_from(output.len()).is_ok_and(|length| length > ANSWER_BYTES) {
            return Err(io::Error::other("the answer is larger than this server passes on"));
        }
        child.wait().await?;
        Ok(output)
    }
}

/// Splits the head of a CGI answer from its body.
fn response_of(output: &[u8]) -> Response<Body> {
    let Some((head, body)) = split_head(output) else {
        return refusal(StatusCode::BAD_GATEWAY);
    };
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        response = match name.eq_ignore_ascii_case("status") {
            true => response.status(value.split(' ').next().unwrap_or("502")),
            false => response.header(name, value),
        };
    }
    response.body(Body::from(body.to_vec())).unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY))
}

fn split_head(output: &[u8]) -> Option<(&[u8], &[u8])> {
    for end in [&b"\r\n\r\n"[..], b"\n\n"] {
        if let Some(at) = output.windows(end.len()).position(|window| window == end) {
            return Some((&output[..at], &output[at + end.len()..]));
        }
    }
    None
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Makes the bare repository `path` below `root` with one commit of `files` on `main`, which is
/// also `refs/pipelines/1`; answers with the commit's id.
///
/// # Errors
///
/// What kept git from making it.
pub async fn make_repository(
    root: &Path,
    path: &str,
    files: &[(&str, &str)],
) -> io::Result<String> {
    let folder = root.join(path);
    let text = |output: Vec<u8>| String::from_utf8_lossy(&output).trim().to_owned();
    std::fs::create_dir_all(&folder)?;
    git(&folder, &["init", "--quiet", "--bare", "--initial-branch=main", "."], &[]).await?;
    let mut stream = format!(
        "commit refs/heads/main\n\
         author Ada <ada@example.com> {COMMIT_TIME} +0000\n\
         committer Ada <ada@example.com> {COMMIT_TIME} +0000\n\
         data 6\nfirst\n\n"
    );
    for (name, content) in files {
        let mode = if name.ends_with(".sh") { "100755" } else { "100644" };
        stream += &format!("M {mode} inline {name}\ndata {}\n{content}\n", content.len());
    }
    git(&folder, &["fast-import", "--quiet"], stream.as_bytes()).await?;
    git(&folder, &["update-ref", "refs/pipelines/1", "refs/heads/main"], &[]).await?;
    Ok(text(git(&folder, &["rev-parse", "refs/heads/main"], &[]).await?))
}

async fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let work = async {
        stdin.write_all(input).await?;
        drop(stdin);
        child.wait_with_output().await
    };
    let output = timeout(ANSWER_TIME, work).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("git {}: {}", arguments.join(" "), said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_repository_is_fetched_with_a_depth_and_a_missing_one_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("served");
        let files = [("README.md", "hello\n"), ("src/main.c", "int main(){return 0;}\n")];
        let commit = make_repository(&root, "group/project.git", &files).await.unwrap();
        assert_eq!(commit, "63c6f95cc5d6df15bb1f3b4b1ef0d5062688a104");

        let server = GitServer::serve(&root).await.unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        git(&work, &["init", "--quiet"], &[]).await.unwrap();
        let url = format!("http://token:secret@{}/group/project.git", server.host());
        let fetch =
            ["fetch", "--quiet", "--depth", "1", &url, "+refs/heads/main:refs/remotes/origin/main"];
        git(&work, &fetch, &[]).await.unwrap();
        git(&work, &["checkout", "-q", &commit], &[]).await.unwrap();
        assert_eq!(std::fs::read_to_string(work.join("README.md")).unwrap(), "hello\n");

        let absent = format!("http://{}/group/absent.git", server.host());
        let error = git(&work, &["fetch", &absent], &[]).await.unwrap_err().to_string();
        assert!(error.contains("not found"), "{error}");
        server.shutdown().await;
    }
}
