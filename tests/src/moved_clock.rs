//! A clock that only some processes of a test see, and that the test moves while they run. The
//! library of `faketime` tells them the time.
//!
//! It moves what a program reads. A wait in the kernel that has begun goes on in real time, so after
//! a move something has to wake the process: a line of its script, or a new connection.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::checked_host::{CheckedHost, runner};
use crate::files::write_whole;
use crate::job::TestJob;
use crate::neighbour::have;
use crate::process::TestProcess;

/// Where Debian and others keep the library of `faketime`.
const FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
    "/usr/lib/faketime",
];

/// A clock for the driver's processes of one test, and for others that get its variables.
pub struct MovedClock {
    files: Vec<PathBuf>,
    library: PathBuf,
    moves_waits: bool,
}

impl MovedClock {
    /// The time of day, which is right until it is set. The clock of waits goes on as before. `None`
    /// where the library is missing.
    #[must_use]
    pub fn time_of_day(site: &CheckedHost) -> Option<Self> {
        Self::new(site, false)
    }

    /// The time of day together with the clock of waits, which nobody can set on a real host: so much
    /// time passes. `None` where the library is missing.
    #[must_use]
    pub fn all_time(site: &CheckedHost) -> Option<Self> {
        Self::new(site, true)
    }

    fn new(site: &CheckedHost, moves_waits: bool) -> Option<Self> {
        if !have("faketime") {
            return None;
        }
        let mut libraries = FOLDERS.iter().map(|f| Path::new(f).join("libfaketimeMT.so.1"));
        let library = libraries.find(|path| path.exists()).expect("faketime has its library");
        let clock = Self { files: vec![site.folder().join("clock")], library, moves_waits };
        clock.set("+0");
        Some(clock)
    }

    /// Lets the clock be read from this file as well, by processes that do not see the first one. Its
    /// folder may go with them.
    pub fn show_in(&mut self, file: PathBuf) {
        self.files.push(file);
    }

    /// Sets it, for processes that run as well: for example `+10m`, from the right time.
    ///
    /// # Panics
    ///
    /// If a file of it cannot be written.
    pub fn set(&self, offset: &str) {
        for file in self.files.iter().filter(|file| file.parent().is_some_and(Path::is_dir)) {
            write_whole(file, offset).expect("a writable folder");
        }
    }

    /// The library, as a process sees it in its memory.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The variables of a process that reads the clock from `file`.
    #[must_use]
    pub fn variables(&self, file: &Path) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
        ];
        if !self.moves_waits {
            variables.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
        }
        variables
    }

    /// Starts `fargate-runner` with these arguments under this clock.
    pub fn start<A: AsRef<OsStr>>(&self, job: &TestJob, arguments: &[A]) -> TestProcess {
        let settings = self.variables(&self.files[0]);
        let settings: Vec<_> = settings.iter().map(|(name, to)| format!("{name}={to}")).collect();
        let program = runner();
        let mut words: Vec<&OsStr> = settings.iter().map(OsStr::new).collect();
        words.push(program.as_os_str());
        words.extend(arguments.iter().map(AsRef::as_ref));
        job.start_other("env", &words)
    }

    /// Starts a stage under this clock.
    pub fn stage(&self, job: &TestJob, stage: &[&OsStr]) -> TestProcess {
        let mut arguments: Vec<&OsStr> = job.arguments.iter().map(AsRef::as_ref).collect();
        arguments.extend(stage);
        self.start(job, &arguments)
    }

    /// Starts one `run` under this clock, as the stage `build_script`.
    pub fn run(&self, job: &TestJob, script: &str) -> TestProcess {
        let script = job.script(script);
        self.stage(job, &[OsStr::new("run"), script.as_os_str(), OsStr::new("build_script")])
    }
}
