//! The binary is replaced by another version, and replaced back, while many jobs run.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fargate_tests::{CheckedHost, TestJob, TestProcess};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::{BinaryFolder, copy, next};

/// Jobs that run meanwhile, unless `FARGATE_TEST_JOBS` says more.
const JOBS: usize = 40;
/// `prepare`s and `cleanup`s at a time: two cores prove host keys.
const AT_ONCE: usize = 8;
/// For all scripts of a round to begin.
const BEGIN: Duration = Duration::from_secs(120);

/// Scripts that have begun and wait for a word.
struct WaitingScripts(Vec<TcpStream>);

impl WaitingScripts {
    /// Hears so many scripts begin.
    async fn hear(listener: &TcpListener, count: usize) -> Self {
        let mut begun = Vec::new();
        while begun.len() < count {
            let (line, _) =
                timeout(BEGIN, listener.accept()).await.expect("scripts begin").unwrap();
            begun.push(line);
        }
        Self(begun)
    }

    /// Lets them go on; each said who it is.
    async fn release(self) -> Vec<String> {
        let mut names = Vec::new();
        for mut line in self.0 {
            line.write_all(b"go on\n").await.expect("it waits");
            let mut name = String::new();
            BufReader::new(line).read_line(&mut name).await.expect("it said");
            names.push(name.trim().to_owned());
        }
        names.sort();
        names
    }
}

/// A script that begins, waits for a word from outside its task, and ends.
fn script(port: u16, name: &str) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}\necho {name} >&3\necho {name} begins\nread -r word <&3\n\
         echo \"{name} is told to $word\"\n"
    )
}

async fn in_turn(jobs: &[Rc<TestJob>], stage: &str) {
    for some in jobs.chunks(AT_ONCE) {
        let running: Vec<TestProcess> = some.iter().map(|job| job.start(&[stage])).collect();
        for (job, running) in some.iter().zip(running) {
            job.heard(running).await.passed();
        }
    }
}

/// One `run` of every job, all at once; `meanwhile` happens while all scripts run.
async fn all_run(
    jobs: &[Rc<TestJob>],
    listener: &TcpListener,
    round: &str,
    meanwhile: impl FnOnce(),
) {
    let port = listener.local_addr().expect("it listens").port();
    let name = |n: usize| format!("{round}-{n:04}");
    let running: Vec<TestProcess> =
        jobs.iter().enumerate().map(|(n, job)| job.start_run(script(port, &name(n)))).collect();
    let waiting = WaitingScripts::hear(listener, jobs.len()).await;
    meanwhile();
    // Each began once, and none more than once.
    let expected: Vec<String> = (0..jobs.len()).map(name).collect();
    assert_eq!(waiting.release().await, expected);
    for (n, (job, running)) in jobs.iter().zip(running).enumerate() {
        let ended = job.heard(running).await.with_code(0);
        let name = name(n);
        assert_eq!(ended.all(), format!("{name} begins\n{name} is told to go on\n"));
    }
}

/// As a package manager does: the new file beside the old one, then renamed over it.
fn rename_over(new: &Path, place: &Path) {
    let beside = place.with_extension("new");
    copy(new, &beside);
    fs::rename(beside, place).expect("a rename");
}

/// As an archive is unpacked: the old file is taken away, a new one written in its place.
fn write_anew(new: &Path, place: &Path) {
    fs::remove_file(place).expect("it was there");
    copy(new, place);
}

#[tokio::test]
async fn another_version_in_the_place_of_the_binary_loses_no_running_job_nor_does_going_back() {
    let count = std::env::var("FARGATE_TEST_JOBS").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(JOBS);
    let binaries = BinaryFolder::new();
    let (this, next) = (binaries.make("this", None), binaries.make("next", Some(&next())));
    let place = binaries.path("fargate-runner");
    copy(&this, &place);
    let site = CheckedHost::open().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let jobs: Vec<Rc<TestJob>> =
        (0..count).map(|_| site.job_with(|job| job.program.clone_from(&place))).collect();
    let begun = Instant::now();
    let (first, second) = jobs.split_at(count / 2);
    in_turn(first, "prepare").await;
    rename_over(&next, &place);
    in_turn(second, "prepare").await;
    eprintln!("{count} jobs prepared after {:.1?}", begun.elapsed());
    let of_next = jobs.iter().filter(|job| job.state().expect("a record")["of_0_2"] == "kept");
    assert_eq!(of_next.count(), second.len());
    all_run(&jobs, &listener, "one", || write_anew(&this, &place)).await;
    all_run(&jobs, &listener, "two", || rename_over(&next, &place)).await;
    all_run(&jobs, &listener, "three", || rename_over(&this, &place)).await;
    eprintln!("three rounds of {count} scripts after {:.1?}", begun.elapsed());
    // What the other version wrote is still there, whoever ran last.
    assert!(second.iter().all(|job| job.state().expect("a record")["of_0_2"] == "kept"));
    in_turn(second, "cleanup").await;
    rename_over(&next, &place);
    in_turn(first, "cleanup").await;
    assert_eq!(site.cloud().tasks().len(), count, "one task for each job");
    assert!(jobs.iter().all(|job| !job.state_file().exists() && job.tombstone().exists()));
    eprintln!("all cleaned up after {:.1?}", begun.elapsed());
    site.close().await;
}
