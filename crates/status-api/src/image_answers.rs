//! The answer about images, from the manifests of the images that this host's configuration manages.
//!
//! It reads the manifests and asks no registry: whether a tag was moved, `fargate-runner image drift` finds out.
//! A manifest that cannot be read is said in the answer, and the other images are shown.

use std::time::{Duration, SystemTime};

use fargate_image_manifest::{
    ChannelAssignment, ChannelName, ManifestFile, ManifestTime, RecordedImage, RecordedVersion,
    VersionStatus,
};
use fargate_job_journal::JobStory;
use fargate_model::text::{error_chain, escape_within};
use fargate_status_answers::{CandidateRow, ChannelRow, DriftRow, ImagesAnswer};

use crate::StatusSettings;
use crate::assemble::counted;
use crate::status_settings::ConfiguredImage;

/// Versions that are shown of one image, newest first.
const MOST_CANDIDATES: usize = 20;
/// Longest name of an image that an answer repeats.
const LONGEST_NAME: usize = 80;

/// What the manifests say, and how many tasks of `running` use each image.
#[must_use]
pub fn images(settings: &StatusSettings, running: &[JobStory], now: SystemTime) -> ImagesAnswer {
    let mut answer =
        ImagesAnswer { runner_version: settings.version.clone(), ..ImagesAnswer::default() };
    let mut newest: Option<(ManifestTime, Option<String>)> = None;
    for image in &settings.images {
        let file = match ManifestFile::read_or_empty(&image.manifest) {
            Ok(file) => file,
            Err(error) => {
                answer.drift.push(unreadable(image, &error_chain(&error)));
                continue;
            }
        };
        let Some(recorded) = file.manifest.images.get(&image.name) else { continue };
        answer.channels.extend(channels(image, recorded, running));
        answer.drift.extend(stale(image, recorded, now));
        answer.candidates.extend(candidates(image, recorded));
        let made = recorded.versions.iter().max_by_key(|version| version.created);
        if let Some(made) = made
            && newest.as_ref().is_none_or(|(at, _)| *at < made.created)
        {
            newest = Some((made.created, made.agent.clone()));
        }
    }
    answer.helper_version = newest.and_then(|(_, agent)| agent);
    answer.needs_action = answer.drift.iter().any(|row| row.severity != "info");
    answer.answer = sentence(settings, &answer, running, now);
    answer
}

/// How old the image of each channel is: image, channel, age.
pub(crate) fn ages(settings: &StatusSettings, now: SystemTime) -> Vec<(String, String, Duration)> {
    let mut ages = Vec::new();
    for image in &settings.images {
        let Ok(file) = ManifestFile::read_or_empty(&image.manifest) else { continue };
        let Some(recorded) = file.manifest.images.get(&image.name) else { continue };
        for channel in recorded.channels.keys() {
            if let Some(version) = recorded.version_of(channel) {
                let age = age_of(version, now);
                ages.push((image.name.clone(), channel.as_str().to_owned(), age));
            }
        }
    }
    ages
}

fn channels(
    image: &ConfiguredImage,
    recorded: &RecordedImage,
    running: &[JobStory],
) -> Vec<ChannelRow> {
    let row = |(channel, assigned): (&ChannelName, &ChannelAssignment)| {
        let version = recorded.version(&assigned.digest);
        let digest = assigned.digest.to_string();
        let uses = |story: &&JobStory| story.description.image_digest.as_deref() == Some(&digest);
        ChannelRow {
            name: image.name.clone(),
            channel: channel.as_str().to_owned(),
            running: running.iter().filter(uses).count() as u64,
            promoted_ms: Some(ms(assigned.since)),
            created_ms: version.map(|version| ms(version.created)),
            compressed_bytes: version.map(|version| version.size_bytes).filter(|size| *size > 0),
            tested: version.is_some_and(|version| version.status == VersionStatus::Tested),
            findings: version.and_then(|it| Some(u64::from(it.scan.as_ref()?.findings))),
            digest,
            ..ChannelRow::default()
        }
    };
    recorded.channels.iter().map(row).collect()
}

fn candidates(image: &ConfiguredImage, recorded: &RecordedImage) -> Vec<CandidateRow> {
    let mut versions: Vec<&RecordedVersion> = recorded.versions.iter().collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.created));
    let row = |version: &RecordedVersion| CandidateRow {
        name: image.name.clone(),
        digest: version.digest.to_string(),
        created_ms: Some(ms(version.created)),
        git: version.git.clone(),
        status: version.status.as_str().to_owned(),
        text: words_of(version),
    };
    versions.into_iter().take(MOST_CANDIDATES).map(row).collect()
}

/// What is known of a version, shortest first.
fn words_of(version: &RecordedVersion) -> String {
    if let Some(reason) = &version.revoked_reason {
        return format!("revoked: {}", escape_within(reason, 200));
    }
    let smoke = match &version.smoke {
        Some(smoke) if smoke.ok => {
            Some(format!("a job passed, banner after {} ms", smoke.banner_ms))
        }
        Some(_) => Some("the job in it failed".to_owned()),
        None => Some("no job ran in it".to_owned()),
    };
    let scan = version.scan.as_ref().map(|scan| counted(u64::from(scan.findings), "secret"));
    let layers = (version.layers > 0).then(|| counted(u64::from(version.layers), "layer"));
    let dirty = version.dirty.then(|| "files of no commit".to_owned());
    [smoke, scan, layers, dirty].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// An image of `stable` that is older than the configuration allows.
fn stale(image: &ConfiguredImage, recorded: &RecordedImage, now: SystemTime) -> Option<DriftRow> {
    let stable = ChannelName::stable();
    let version = recorded.version_of(&stable)?;
    let age = age_of(version, now);
    (age > image.stale_after).then(|| DriftRow {
        class: "stale".to_owned(),
        severity: "info".to_owned(),
        text: format!(
            "{}@stable is {} old, and `stale_after` is {}",
            image.name,
            counted(days(age), "day"),
            counted(days(image.stale_after), "day")
        ),
        since_ms: Some(ms(version.created.after(image.stale_after))),
        command: Some(format!("fargate-runner image publish {}", image.name)),
    })
}

fn unreadable(image: &ConfiguredImage, why: &str) -> DriftRow {
    DriftRow {
        class: "unreadable".to_owned(),
        severity: "high".to_owned(),
        text: format!("the manifest of {} cannot be read: {why}", image.name),
        since_ms: None,
        command: Some(format!("fargate-runner image list {}", image.name)),
    }
}

/// The worst that is to say, or that all is well.
fn sentence(
    settings: &StatusSettings,
    answer: &ImagesAnswer,
    running: &[JobStory],
    now: SystemTime,
) -> String {
    if let Some(row) = answer.drift.iter().find(|row| row.severity != "info") {
        return format!("{}.", upper_first(&row.text));
    }
    if let Some(row) = answer.drift.first() {
        return format!("{}.", row.text);
    }
    let stable = answer.channels.iter().find(|row| row.channel == "stable");
    if let Some(row) = stable.or(answer.channels.first()) {
        let made = row.created_ms.map(|at| SystemTime::UNIX_EPOCH + Duration::from_millis(at));
        let age = made.map(|made| now.duration_since(made).unwrap_or_default());
        let age = age.map(|age| format!(" is {} old", counted(days(age), "day")));
        let clean = match (row.tested, row.findings) {
            (true, Some(0)) => " and clean",
            (false, _) => "; no job was seen to pass in it",
            (true, _) => "; it was not searched for secrets",
        };
        let age = age.unwrap_or_else(|| " is not in the manifest".to_owned());
        return format!("{}@{}{age}{clean}.", row.name, row.channel);
    }
    let used = running.iter().find_map(|story| story.description.image.as_deref());
    match (settings.images.first(), used) {
        (Some(image), _) => {
            format!(
                "No channel of {} has a version yet: `fargate-runner image publish {}`",
                image.name, image.name
            )
        }
        (None, Some(used)) => format!(
            "No image is managed here. Jobs use `{}` as configured.",
            escape_within(used, LONGEST_NAME)
        ),
        (None, None) => "No image is managed here.".to_owned(),
    }
}

fn age_of(version: &RecordedVersion, now: SystemTime) -> Duration {
    ManifestTime::of(now).since(version.created)
}

fn days(age: Duration) -> u64 {
    age.as_secs() / (24 * 60 * 60)
}

fn ms(time: ManifestTime) -> u64 {
    let since = time.system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use fargate_image_manifest::ImageDigest;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn digest(letter: char) -> ImageDigest {
        format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap()
    }

    /// One image with a version of `age` days in `stable`, and a task that runs in it.
    fn shown(age: u32, change: impl FnOnce(&mut RecordedVersion)) -> ImagesAnswer {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + 10_000 * DAY;
        let made = ManifestTime::of(now - DAY * age);
        let mut version = RecordedVersion::candidate(digest('a'), "ci-a", made);
        change(&mut version);
        let mut recorded = RecordedImage::empty("registry.example/team/ci");
        recorded.record(version);
        let path = folder.path().join("images.json");
        let mut file = ManifestFile::read_or_empty(&path).unwrap();
        file.manifest.images.insert("ci".to_owned(), recorded);
        let text = serde_json::json!({"digest": digest('a'), "since": made});
        let assigned = serde_json::from_value(text).unwrap();
        let image = file.manifest.images.get_mut("ci").unwrap();
        image.channels.insert(ChannelName::stable(), assigned);
        file.save().unwrap();
        let settings = StatusSettings {
            images: vec![ConfiguredImage {
                name: "ci".to_owned(),
                manifest: path,
                stale_after: 30 * DAY,
            }],
            ..StatusSettings::default()
        };
        let mut story = JobStory::default();
        story.description.image_digest = Some(digest('a').to_string());
        images(&settings, &[story], now)
    }

    #[test]
    fn a_channel_is_shown_with_its_age_its_test_and_the_tasks_that_run_in_it() {
        let answer = shown(12, |version| {
            version.status = VersionStatus::Tested;
            let scan = serde_json::json!({"rules": "1", "findings": 0});
            version.scan = Some(serde_json::from_value(scan).unwrap());
        });
        assert_eq!(answer.answer, "ci@stable is 12 days old and clean.");
        assert!(!answer.needs_action && answer.drift.is_empty(), "{:?}", answer.drift);
        let [row] = &answer.channels[..] else { panic!("{:?}", answer.channels) };
        assert_eq!((row.running, row.tested, row.findings), (1, true, Some(0)));
    }

    #[test]
    fn an_old_image_of_stable_is_told_with_the_command_that_makes_a_new_one() {
        let answer = shown(41, |_| ());
        assert_eq!(answer.answer, "ci@stable is 41 days old, and `stale_after` is 30 days.");
        let commands: Vec<_> = answer.drift.iter().filter_map(|row| row.command.clone()).collect();
        assert_eq!(commands, ["fargate-runner image publish ci"]);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_needs_somebody() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("images.json");
        std::fs::write(&manifest, "{").unwrap();
        let image = ConfiguredImage { name: "ci".to_owned(), manifest, stale_after: DAY };
        let settings = StatusSettings { images: vec![image], ..StatusSettings::default() };
        let answer = images(&settings, &[], SystemTime::UNIX_EPOCH);
        assert!(answer.needs_action, "{answer:?}");
        assert!(answer.answer.starts_with("The manifest of ci cannot be read"), "{answer:?}");
    }
}
