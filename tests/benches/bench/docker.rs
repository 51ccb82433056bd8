//! Tasks of our own local cloud in containers of a Docker Engine: from RunTask to the first byte of a
//! script, beside `docker run` and `ssh` with the same image; and eight trivial jobs at once.
//!
//! Both ways start the same image with its own first process, the agent, on a machine at rest. Ours has a
//! second container, which holds the task's network. The cloud has started it ahead, as for every task that
//! does not come at the same time as another.

use std::error::Error;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fargate_playground::programs;
use fargate_playground::runner::RunnerTimes;
use fargate_playground::test_host::TestHost;
use fargate_tests::TestEngine;

use crate::bench_job::{BenchJob, open_host_with};
use crate::containers::JobRounds;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};
use crate::measured::{until, until_found, words};
use crate::openssh::{self, OpenSshLogin};

/// Pairs of one task and one `docker run`.
const PAIRS: u64 = 10;
/// Of both, before anything counts: one task in each subnet, whose network is made then.
const WARM_UPS: u64 = 2;
/// Rounds of jobs that are played at once.
const ROUNDS: u64 = 5;
/// Jobs of one round.
const AT_ONCE: u64 = 8;
/// Number of the first job, of the pairs and of the rounds.
const FIRST: [u64; 2] = [4000, 4100];
/// The script; its output is the byte that is waited for.
const SCRIPT: &str = "echo up";
/// Between two tries to reach the agent of a container.
const DIAL_AGAIN: Duration = Duration::from_millis(1);
/// Where the agent listens in its container.
const PORT: u16 = 22;
/// Of the figures.
const NAMES: [&str; 2] = ["docker-first-byte-beside-docker-run", "eight-docker-jobs-wall"];

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let engine = match TestEngine::start() {
        Ok(engine) => engine,
        Err(missing) => {
            NAMES.iter().for_each(|name| report.skip(name, &missing));
            return Ok(());
        }
    };
    let folder = host.folder().join("docker");
    let host = open_host_with(&folder, |options| engine.choose(options))?;
    let measured =
        first_byte(&host, &engine, report).and_then(|()| jobs_at_once(&host, &engine, report));
    host.close_thread();
    measured
}

fn first_byte(
    host: &TestHost,
    engine: &TestEngine,
    report: &mut BenchReport,
) -> Result<(), Box<dyn Error>> {
    let client = programs::installed("docker", "docker-cli").map(drop);
    let missing = openssh::missing().or(client.err().map(|missing| missing.to_string()));
    if let Some(missing) = missing {
        report.skip(NAMES[0], &missing);
        return Ok(());
    }
    let plain = PlainContainers::new(engine, host.folder())?;
    let (mut ours, mut starts, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..WARM_UPS + PAIRS {
        let task = TaskTimes::of_one(host, FIRST[0] + pair)?;
        // The cloud makes its next spare a while after a task. Neither way is measured beside that.
        until("the cloud's spare containers", || is_at_rest(host, engine))?;
        let container = plain.first_byte()?;
        if pair >= WARM_UPS {
            ours.push(ms(task.first_byte));
            starts.push(ms(task.running));
            theirs.push(ms(container));
        }
    }
    let [task, running, container] = [&ours, &starts, &theirs].map(|times| median(times));
    report.add(BenchFigure {
        name: NAMES[0],
        value: task / container,
        unit: "ratio",
        goal: FigureGoal::AtMost(1.3),
        note: format!(
            "from RunTask {task:.0} ms, of these {running:.0} ms to RUNNING; `docker run`, `docker inspect` and `ssh` {container:.0} ms; \
             p50 of {PAIRS}"
        ),
    });
    Ok(())
}

/// Whether the cloud has no task, and each of its networks a spare container that runs.
fn is_at_rest(host: &TestHost, engine: &TestEngine) -> bool {
    let folder = host.cloud().folder();
    let spares = engine.containers(folder).unwrap_or_default();
    let networks = engine.networks(folder).unwrap_or_default();
    spares.len() == networks.len()
        && spares.iter().all(|spare| spare.name.is_none() && spare.state == "running")
}

/// What happened how long after the cloud got RunTask.
struct TaskTimes {
    /// Both containers had been started.
    running: Duration,
    /// The job's script wrote its first byte.
    first_byte: Duration,
}

impl TaskTimes {
    fn of_one(host: &TestHost, number: u64) -> Result<Self, Box<dyn Error>> {
        let job = BenchJob::new(host, number)?;
        job.prepare()?;
        let (_, seen) = until_first_byte(&mut job.script(SCRIPT)?)?;
        let requests = host.cloud().requests();
        let launch = requests.iter().rev().find(|request| request.operation == "RunTask");
        let launched = launch.ok_or("the cloud got no RunTask")?.time;
        let started = host.cloud().tasks().pop().and_then(|task| task.started_at);
        let running = started.ok_or("the task never was RUNNING")?.duration_since(launched)?;
        job.cleanup()?;
        Ok(Self { running, first_byte: seen.duration_since(launched)? })
    }
}

/// Runs `command` to its end; gives when it wrote its first byte, by both clocks.
fn until_first_byte(command: &mut Command) -> Result<(Instant, SystemTime), Box<dyn Error>> {
    let mut child = command.spawn()?;
    let mut output = child.stdout.take().ok_or("its output is no pipe")?;
    let read = output.read_exact(&mut [0]);
    let seen = (Instant::now(), SystemTime::now());
    let drained = output.read_to_end(&mut Vec::new());
    let status = child.wait()?;
    read.and(drained).map_err(|error| format!("the output of {}: {error}", words(command)))?;
    if !status.success() {
        return Err(format!("{status} of {}", words(command)).into());
    }
    Ok(seen)
}

/// Containers of the same image as everybody starts them: `docker run`, then `ssh`.
struct PlainContainers<'a> {
    engine: &'a TestEngine,
    docker: PathBuf,
    ssh: PathBuf,
    key: PathBuf,
    public_key: String,
    script: PathBuf,
}

impl<'a> PlainContainers<'a> {
    fn new(engine: &'a TestEngine, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let (key, script) = (folder.join("plain-key"), folder.join("plain-script"));
        openssh::generate(&key)?;
        fs::write(&script, SCRIPT)?;
        let public_key = fs::read_to_string(key.with_extension("pub"))?.trim().to_owned();
        let docker = programs::installed("docker", "docker-cli")?;
        let ssh = programs::installed("ssh", "openssh-client")?;
        Ok(Self { engine, docker, ssh, key, public_key, script })
    }

    /// From the start of `docker run` to the first byte that the script wrote.
    fn first_byte(&self) -> Result<Duration, Box<dyn Error>> {
        let began = Instant::now();
        let id = self.output(&mut self.run())?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let ip = self.output(self.docker().args(["inspect", "--format", format, &id]));
        let seen = ip.and_then(|ip| self.of_script(ip.parse()?));
        self.output(self.docker().args(["rm", "--force", "--volumes", &id]))?;
        Ok(seen? - began)
    }

    fn of_script(&self, ip: IpAddr) -> Result<Instant, Box<dyn Error>> {
        let place = SocketAddr::new(ip, PORT);
        until_found(&format!("an agent at {place}"), DIAL_AGAIN, || {
            TcpStream::connect(place).ok()
        })?;
        let (ssh, key) = (self.ssh.clone(), self.key.clone());
        let login = OpenSshLogin { ssh, key, known_hosts: None, place, user: "root".to_owned() };
        Ok(until_first_byte(&mut login.script(&self.script)?)?.0)
    }

    /// Starts a container, and prints its id.
    fn run(&self) -> Command {
        let mut command = self.docker();
        command
            .args(["run", "--detach", "--env"])
            .arg(format!("SSH_PUBLIC_KEY={}", self.public_key));
        command.arg(self.engine.image_id());
        command
    }

    fn docker(&self) -> Command {
        let mut command = Command::new(&self.docker);
        command.arg("--host").arg(format!("unix://{}", self.engine.socket()));
        command.stdin(Stdio::null());
        command
    }

    fn output(&self, command: &mut Command) -> Result<String, Box<dyn Error>> {
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} of {}:\n{said}", output.status, words(command)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

fn jobs_at_once(
    host: &TestHost,
    engine: &TestEngine,
    report: &mut BenchReport,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runner = Arc::new(host.runner("benchmark", RunnerTimes::default())?);
    let rounds = JobRounds { first: FIRST[1], rounds: ROUNDS, at_once: AT_ONCE };
    let at_rest = || drop(until("the cloud's spare containers", || is_at_rest(host, engine)));
    let (walls, parts) = rounds.walls(&runtime, &runner, &at_rest)?;
    if !is_at_rest(host, engine) {
        let left = engine.containers(host.cloud().folder())?;
        return Err(format!("left of the jobs: {left:?}").into());
    }
    report.add(BenchFigure {
        name: NAMES[1],
        value: median(&walls),
        unit: "s",
        goal: FigureGoal::AtMost(4.0),
        note: format!("p50 of {ROUNDS}: {parts}"),
    });
    Ok(())
}
