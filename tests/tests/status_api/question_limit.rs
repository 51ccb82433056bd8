//! More questions at once than are answered: those beyond the limit are refused at once with words that say so,
//! and health stays quick.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fargate_tests::CheckedHost;
use tokio::task::JoinSet;

use crate::http_client::{HttpAnswer, request};
use crate::server::StatusServer;

/// As many questions as are answered at one time.
const LIMIT: usize = 512;

/// A process that takes the locks which each reader of this database needs, until its stdin ends. Bytes 123 to 127 of
/// the `-shm` file. Source: SQLite, `wal.c`, `WALINDEX_LOCK_OFFSET` and `WAL_READ_LOCK`.
fn hold_readers(database: &std::path::Path) -> Child {
    let script = "import fcntl, sys\n\
                  memory = open(sys.argv[1] + '-shm', 'r+b')\n\
                  fcntl.lockf(memory, fcntl.LOCK_EX, 5, 123)\n\
                  print('held', flush=True); sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().expect("python3");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("it holds them");
    assert_eq!(line, "held\n");
    holder
}

#[tokio::test]
async fn the_question_beyond_512_is_refused_at_once_and_health_stays_quick() {
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    let mut holder = hold_readers(&site.state_dir().join("history.db"));
    let address = server.address;
    let began = Instant::now();
    let mut asked = JoinSet::new();
    // Each is another question, so no one answer serves them all. One is one too many.
    for number in 0..=LIMIT {
        asked.spawn(async move {
            let path = format!("/api/v1/jobs?q=job-{number}");
            request(address, ("GET", &path), &[], "").await
        });
    }
    let first = asked.join_next().await.expect("an answer").expect("no panic");
    assert_eq!((first.status, first.code().as_str()), (503, "many-questions"), "{first:?}");
    assert!(first.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    let words = first.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(words.starts_with("512 questions are being answered"), "{words}");
    let health = Instant::now();
    assert_eq!(server.get("/health/live").await.status, 200);
    assert!(health.elapsed() < Duration::from_secs(2), "{:?}", health.elapsed());
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    drop(holder.stdin.take());
    assert!(holder.wait().expect("it ends").success());
    let others: Vec<HttpAnswer> = asked.join_all().await;
    let refused: Vec<_> = others.iter().filter(|it| it.text().contains("many-questions")).collect();
    assert_eq!((others.len(), refused.len()), (LIMIT, 0), "exactly one was too many");
    // Whoever waited for longer than an answer may take is told so; all others have theirs.
    assert!(others.iter().all(|it| matches!(it.status, 200 | 503)), "{others:?}");
    server.json("/api/v1/jobs?q=afterwards").await;
    server.close().await;
    site.close().await;
}
