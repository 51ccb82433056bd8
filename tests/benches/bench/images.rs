//! An image of 950 MB: how long a push takes beside `docker push` and skopeo in the same run, what it sends,
//! how long the search for secrets takes, and how much memory both need.
//!
//! Each first push goes to a registry of its own that has nothing. The best of some rounds counts, because
//! other work on the machine can only make a round longer.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fargate_playground::test_host::TestHost;
use fargate_tests::image_registry::{AUTHORIZATION, ImageRegistry};
use fargate_tests::{PlainEngine, have};
use serde_json::{Value, json};

use crate::figure::{BenchFigure, BenchReport, FigureGoal};
use crate::image_sample::SampleImage;
use crate::measured::words;
use crate::processes::peak_resident;

/// Rounds of the pushes that are compared.
const ROUNDS: usize = 2;
/// Nothing here takes longer, unless something is broken.
const DEADLINE: Duration = Duration::from_secs(600);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(5);
/// The repository of all pushes.
const REPOSITORY: &str = "bench/sample";
/// Of the figures.
const NAMES: [&str; 8] = [
    "image-push-beside-docker",
    "image-push-beside-skopeo-zstd",
    "image-push-again",
    "image-push-again-bytes",
    "image-push-level-9-bytes",
    "image-scan",
    "image-push-memory",
    "image-scan-memory",
];

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let missing = ["docker", "skopeo", "docker-registry"].into_iter().find(|name| !have(name));
    let missing = missing.map(|name| format!("{name} is not installed"));
    let engine = match missing.map_or_else(PlainEngine::start, Err) {
        Ok(engine) => engine,
        Err(missing) => {
            NAMES.iter().for_each(|name| report.skip(name, &missing));
            return Ok(());
        }
    };
    let folder = host.folder().join("images");
    fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sample = SampleImage::make(engine, &folder)?;
    let bench = ImageBench { host, folder, sample, runtime };
    let mut best = BestPushes::default();
    for _ in 0..ROUNDS {
        bench.round(&mut best)?;
    }
    best.report(report);
    bench.best_compression(&best, report)?;
    bench.scan(report)
}

/// What the measurements share.
struct ImageBench<'a> {
    host: &'a TestHost,
    folder: PathBuf,
    sample: SampleImage,
    runtime: tokio::runtime::Runtime,
}

/// One process that ended.
struct WatchedRun {
    status: ExitStatus,
    wall: f64,
    /// In MiB.
    peak: f64,
    /// What it wrote on standard output.
    output: String,
}

/// The shortest time of each, in seconds.
#[derive(Default)]
struct BestPushes {
    docker: Option<f64>,
    docker_bytes: f64,
    skopeo_gzip: Option<f64>,
    skopeo_zstd: Option<f64>,
    ours: Option<f64>,
    again: Option<f64>,
    again_bytes: f64,
    /// The most of all rounds, in MiB.
    peak: f64,
}

fn shorter(best: &mut Option<f64>, wall: f64) {
    *best = Some(best.map_or(wall, |best| best.min(wall)));
}

impl ImageBench<'_> {
    /// Each tool once, one after the other.
    fn round(&self, best: &mut BestPushes) -> Result<(), Box<dyn Error>> {
        let registry = self.registry()?;
        let image = format!("{}/{REPOSITORY}:docker", registry.host());
        self.sample.docker(["tag".into(), self.sample.name().into(), image.clone().into()])?;
        let push = self.run(self.sample.docker_command().arg("push").arg(&image))?.passed()?;
        shorter(&mut best.docker, push.wall);
        best.docker_bytes = self.layer_bytes(&registry, "docker")?;
        self.sample.docker(["rmi".into(), image.into()])?;

        let gzip = self.skopeo_copy(&["--format", "oci"])?;
        shorter(&mut best.skopeo_gzip, gzip.wall);
        let zstd = self.skopeo_copy(&["--format", "oci", "--dest-compress-format", "zstd"])?;
        shorter(&mut best.skopeo_zstd, zstd.wall);

        let registry = self.registry()?;
        let cache = tempfile::tempdir_in(&self.folder)?;
        let ours = self.push(&registry, 3, cache.path())?;
        shorter(&mut best.ours, ours.wall);
        best.peak = best.peak.max(ours.peak);
        let again = self.push(&registry, 3, cache.path())?;
        shorter(&mut best.again, again.wall);
        best.again_bytes = best.again_bytes.max(sent_bytes(&again)?);
        Ok(())
    }

    /// The bytes of level 9 beside those of `docker push`.
    fn best_compression(
        &self,
        best: &BestPushes,
        report: &mut BenchReport,
    ) -> Result<(), Box<dyn Error>> {
        let cache = tempfile::tempdir_in(&self.folder)?;
        let run = self.push(&self.registry()?, 9, cache.path())?;
        let sent = sent_bytes(&run)?;
        report.add(BenchFigure {
            name: "image-push-level-9-bytes",
            value: sent / best.docker_bytes,
            unit: "ratio",
            goal: FigureGoal::AtMost(0.88),
            note: format!(
                "{:.1} MB in {:.1} s; docker push {:.1} MB",
                sent / 1e6,
                run.wall,
                best.docker_bytes / 1e6
            ),
        });
        Ok(())
    }

    /// The search for secrets, in an archive of the image and in the engine's own export.
    fn scan(&self, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
        let archive = self.folder.join("sample.tar");
        let name = self.sample.name().into();
        self.sample.docker(["save".into(), "--output".into(), archive.clone().into(), name])?;
        let scan = |target: &str| -> Result<WatchedRun, Box<dyn Error>> {
            let run = self.run(&mut self.image_command(&["scan", target, "--json"])?)?;
            // 4: it found something. The files of this machine are not chosen for that.
            match run.status.code() {
                Some(0 | 4) => Ok(run),
                _ => run.passed(),
            }
        };
        let path = archive.to_str().ok_or("a folder that is no UTF-8")?;
        let stored = (scan(path)?, scan(path)?);
        let stored = if stored.0.wall < stored.1.wall { stored.0 } else { stored.1 };
        fs::remove_file(&archive)?;
        let exported = scan(self.sample.name())?;
        report.add(BenchFigure {
            name: "image-scan",
            value: stored.wall,
            unit: "s",
            goal: FigureGoal::AtMost(10.0),
            note: format!(
                "an archive of the image, exit {}; from the engine, with its export, {:.1} s",
                stored.status.code().unwrap_or(-1),
                exported.wall
            ),
        });
        report.add(BenchFigure {
            name: "image-scan-memory",
            value: stored.peak.max(exported.peak),
            unit: "MiB",
            goal: FigureGoal::AtMost(300.0),
            note: "the most resident memory of the process".to_owned(),
        });
        Ok(())
    }

    fn push(
        &self,
        registry: &ImageRegistry,
        level: u32,
        cache: &Path,
    ) -> Result<WatchedRun, Box<dyn Error>> {
        let table = format!(
            "\n[image.sample]\nrepository = \"{}/{REPOSITORY}\"\ncontext = \"/nonexistent\"\n\
             manifest = \"/nonexistent/images.json\"\ncompression = \"zstd\"\n\
             compression_level = {level}\n",
            registry.host()
        );
        let file = self.folder.join("push.toml");
        fs::write(&file, fs::read_to_string(self.host.config())? + &table)?;
        let arguments = ["push", "sample", "--image-id", self.sample.name(), "--json"];
        let mut command = self.image_command(&arguments)?;
        self.run(command.env("XDG_CACHE_HOME", cache).env("SOURCE_DATE_EPOCH", "1700000000"))?
            .passed()
    }

    fn skopeo_copy(&self, flags: &[&str]) -> Result<WatchedRun, Box<dyn Error>> {
        let registry = self.registry()?;
        let mut command = Command::new("skopeo");
        command.args(["copy", "--quiet", "--dest-tls-verify=false", "--src-daemon-host"]);
        command.arg(self.sample.docker_host()).args(flags).arg("--dest-authfile");
        command.arg(self.sample.docker_config().join("config.json"));
        command.arg(format!("docker-daemon:{}", self.sample.name()));
        command.arg(format!("docker://{}/{REPOSITORY}:skopeo", registry.host()));
        self.run(command.env("TMPDIR", &self.folder).env("HOME", &self.folder))?.passed()
    }

    /// The bytes of all layers under this tag.
    fn layer_bytes(&self, registry: &ImageRegistry, tag: &str) -> Result<f64, Box<dyn Error>> {
        let mut command = Command::new("skopeo");
        command.args(["inspect", "--raw", "--tls-verify=false", "--authfile"]);
        command.arg(self.sample.docker_config().join("config.json"));
        command.arg(format!("docker://{}/{REPOSITORY}:{tag}", registry.host()));
        let manifest: Value = serde_json::from_str(&self.run(&mut command)?.passed()?.output)?;
        let layers = manifest["layers"].as_array().ok_or("a manifest without layers")?;
        Ok(layers.iter().filter_map(|layer| layer["size"].as_f64()).sum())
    }

    /// A registry that has nothing, with its login in Docker's configuration.
    fn registry(&self) -> Result<ImageRegistry, Box<dyn Error>> {
        let registry = self.runtime.block_on(ImageRegistry::start());
        let registry = registry.ok_or("docker-registry is not installed")?;
        let auth = AUTHORIZATION.trim_start_matches("Basic ");
        let logins = json!({ "auths": { registry.host(): { "auth": auth } } });
        fs::write(self.sample.docker_config().join("config.json"), logins.to_string())?;
        Ok(registry)
    }

    /// `fargate-runner image` with these arguments.
    fn image_command(&self, arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
        let file = self.folder.join("push.toml");
        if !file.is_file() {
            fs::copy(self.host.config(), &file)?;
        }
        let mut command = Command::new(self.host.driver());
        command.arg("--config").arg(file).arg("image").args(arguments);
        command.env_clear().envs(self.host.environment());
        command.env("DOCKER_HOST", self.sample.docker_host());
        command.env("DOCKER_CONFIG", self.sample.docker_config()).env("TMPDIR", &self.folder);
        Ok(command)
    }

    /// Runs a process to its end.
    fn run(&self, command: &mut Command) -> Result<WatchedRun, Box<dyn Error>> {
        let (output, errors) = (self.folder.join("stdout"), self.folder.join("stderr"));
        command.stdin(Stdio::null()).stdout(fs::File::create(&output)?);
        let began = Instant::now();
        let mut child = command.stderr(fs::File::create(&errors)?).spawn()?;
        let mut peak = 0;
        let status = loop {
            peak = peak.max(peak_resident(&[child.id()]));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if began.elapsed() > DEADLINE {
                child.kill()?;
                child.wait()?;
                return Err(format!("{} took longer than {DEADLINE:?}", words(command)).into());
            }
            std::thread::sleep(LOOK);
        };
        let wall = began.elapsed().as_secs_f64();
        let mut text = fs::read_to_string(&output)?;
        if !status.success() {
            text += &fs::read_to_string(&errors)?;
        }
        eprintln!("{wall:.1} s  {}", words(command));
        let peak = f64::from(u32::try_from(peak)?) / 1024.0;
        Ok(WatchedRun { status, wall, peak, output: text })
    }
}

impl WatchedRun {
    fn passed(self) -> Result<Self, Box<dyn Error>> {
        match self.status.success() {
            true => Ok(self),
            false => Err(format!("{}:\n{}", self.status, self.output).into()),
        }
    }
}

fn sent_bytes(run: &WatchedRun) -> Result<f64, Box<dyn Error>> {
    let report: Value = serde_json::from_str(&run.output)?;
    report["pushed"]["sent_bytes"].as_f64().ok_or_else(|| "a report without bytes".into())
}

impl BestPushes {
    fn report(&self, report: &mut BenchReport) {
        let [docker, gzip, zstd, ours, again] =
            [self.docker, self.skopeo_gzip, self.skopeo_zstd, self.ours, self.again]
                .map(|best| best.unwrap_or(f64::NAN));
        let mut add = |name, value, unit, most, note| {
            report.add(BenchFigure { name, value, unit, goal: FigureGoal::AtMost(most), note });
        };
        let walls = format!(
            "ours {ours:.1} s, docker push {docker:.1} s, skopeo gzip {gzip:.1} s and zstd {zstd:.1} s; \
             best of {ROUNDS}"
        );
        add(NAMES[0], ours / docker, "ratio", 0.4, walls);
        add(NAMES[1], ours / zstd, "ratio", 1.0, "both at level 3".to_owned());
        add(NAMES[2], again, "s", 1.0, format!("the whole process; best of {ROUNDS}"));
        add(NAMES[3], self.again_bytes, "bytes", 0.0, "of blobs".to_owned());
        let note = "the most resident memory of the process".to_owned();
        add(NAMES[6], self.peak, "MiB", 300.0, note);
    }
}
