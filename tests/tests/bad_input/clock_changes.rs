//! The clock of a host is set ten minutes forward or back while a job runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob, TestProcess, TestProcessResult, have,
    until, write_whole,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Where Debian and others keep the library of `faketime`.
const FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
    "/usr/lib/faketime",
];

/// The clock that only the driver's processes of one test see. The monotonic clock
/// goes on as before.
struct DriverClock {
    file: PathBuf,
    library: PathBuf,
}

impl DriverClock {
    /// One that is right, or none where the library is missing.
    fn right(site: &CheckedHost) -> Option<Self> {
        if !have("faketime") {
            return None;
        }
        let mut libraries = FOLDERS.iter().map(|f| Path::new(f).join("libfaketimeMT.so.1"));
        let library = libraries.find(|path| path.exists()).expect("faketime has its library");
        let clock = Self { file: site.folder().join("clock"), library };
        clock.set("+0");
        Some(clock)
    }

    /// Sets it, for processes that run as well.
    fn set(&self, offset: &str) {
        write_whole(&self.file, offset).expect("a writable folder");
    }

    /// Starts `fargate-runner` with these arguments under this clock.
    fn start<A: AsRef<OsStr>>(&self, job: &TestJob, arguments: &[A]) -> TestProcess {
        let setting = |name: &str, value: &Path| format!("{name}={}", value.display());
        let program = fargate_tests::runner();
        let settings = [
            setting("LD_PRELOAD", &self.library),
            setting("FAKETIME_TIMESTAMP_FILE", &self.file),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        let mut words: Vec<&OsStr> = settings.iter().map(OsStr::new).collect();
        words.push(program.as_os_str());
        words.extend(arguments.iter().map(AsRef::as_ref));
        job.start_other("env", &words)
    }

    /// Starts a stage under this clock.
    fn stage(&self, job: &TestJob, stage: &[&OsStr]) -> TestProcess {
        let mut arguments: Vec<&OsStr> = job.arguments.iter().map(AsRef::as_ref).collect();
        arguments.extend(stage);
        self.start(job, &arguments)
    }

    fn run(&self, job: &TestJob, script: &str) -> TestProcess {
        let script = job.script(script);
        self.stage(job, &[OsStr::new("run"), script.as_os_str(), OsStr::new("build_script")])
    }

    async fn reap(&self, site: &CheckedHost, job: &TestJob) -> Value {
        let config = site.config();
        let words = [OsStr::new("-c"), config.as_os_str(), OsStr::new("tasks"), OsStr::new("reap")];
        let ended: TestProcessResult = job.heard(self.start(job, &words)).await.with_code(0);
        serde_json::from_slice(&ended.stdout).expect("a document")
    }
}

#[tokio::test]
async fn set_by_ten_minutes_in_mid_job_it_ends_no_wait_and_no_task() {
    for [offset, back] in [["+10m", "-10m"], ["-10m", "+10m"]] {
        let site = CheckedHost::open().await;
        let Some(clock) = DriverClock::right(&site) else { return site.close().await };
        site.set("defaults.timeouts.orphan_recheck", "20ms");
        // Less than the clock is set by.
        for key in ["prepare", "task_start", "agent_start", "task_visibility"] {
            site.set(&format!("defaults.timeouts.{key}"), "3m");
        }
        // What does not show yet has to be asked for again and again.
        site.cloud().set_faults("DescribeTasks: lag 1h".parse().expect("a rule"));
        let job = site.job();
        let preparing = clock.stage(&job, &[OsStr::new("prepare")]);
        until("ECS was asked", || site.calls("DescribeTasks") > 1).await;
        clock.set(offset);
        let asked = site.calls("DescribeTasks");
        until("ECS was asked on", || site.calls("DescribeTasks") > asked + 3).await;
        site.cloud().clear_faults();
        job.heard(preparing).await.with_code(0);
        assert_eq!(site.tasks_of(&job).len(), 1);

        // A reaper with a wrong clock leaves a live job alone, and its script goes on.
        let mut running =
            clock.run(&job, "trap 'echo told; exit 3' TERM; echo up; sleep 1000 & wait");
        running.wrote("up").await;
        clock.set(back);
        let seen = clock.reap(&site, &job).await;
        assert_eq!(seen["needed"], 1, "{seen}");
        assert_eq!(seen["orphans"], serde_json::json!([]), "{seen}");
        clock.set(offset);
        let seen = clock.reap(&site, &job).await;
        assert_eq!((&seen["needed"], site.calls("StopTask")), (&Value::from(1), 0), "{seen}");
        assert!(running.runs(), "the script was ended");
        running.signal(Signal::SIGTERM);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert_eq!((ended.out(), ended.err()), ("up\ntold\n".into(), String::new()));
        let ended = job.heard(clock.run(&job, "echo next; exit 7")).await;
        assert_eq!((ended.code, ended.out()), (BUILD_FAILURE, "next\n".into()), "{}", ended.err());
        assert_eq!(job.exit_code().as_deref(), Some("7\n"));

        // A verdict that needs ECS is the same, asked with the wrong time.
        let mut running = clock.run(&job, "echo up; exec sleep 1000");
        running.wrote("up").await;
        clock.set(back);
        let (code, reason) = ("SpotInterruption", "Your Spot Task was interrupted.");
        let arn = site.task_of(&job).arn;
        assert!(site.cloud().stop_task_from_outside(&arn, code, reason));
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        let told = "fargate-runner: error: AWS took the Spot task back";
        assert!(line.starts_with(told), "{line}");
        let ended = job.heard(clock.stage(&job, &[OsStr::new("cleanup")])).await.with_code(0);
        assert_eq!(ended.all(), "");
        site.close().await;
    }
}
