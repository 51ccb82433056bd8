//! The file is read with every check, and replaced only if nobody else wrote in the meantime.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{
    ChannelImage, ChannelName, ImageDigest, ManifestError, ManifestFile, ManifestTime,
    RecordedImage, RecordedVersion,
};

fn digest(n: u8) -> ImageDigest {
    format!("sha256:{n:064x}").parse().unwrap()
}

fn start() -> ManifestTime {
    ManifestTime::of(std::time::UNIX_EPOCH)
}

fn days(n: u64) -> Duration {
    Duration::from_hours(24 * n)
}

/// A file with one image whose `stable` has version 1.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("images.json");
    let mut file = ManifestFile::read_or_empty(&path).unwrap();
    let mut image = RecordedImage::empty("registry.example/team/ci");
    image.record(RecordedVersion::candidate(digest(1), "ci-1", start()));
    image.assign(&ChannelName::stable(), &digest(1), start(), None).unwrap();
    file.manifest.images.insert("ci".to_owned(), image);
    file.save().unwrap();
    path
}

#[test]
fn the_file_is_made_for_git_and_keeps_what_a_newer_program_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "images": {
        "ci": {
          "channels": {
            "stable": {
              "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000001",
              "since": "1970-01-01T00:00:00Z"
            }
          },
          "repository": "registry.example/team/ci",
          "versions": [
            {
              "created": "1970-01-01T00:00:00Z",
              "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000001",
              "layers": 0,
              "size_bytes": 0,
              "status": "candidate",
              "tag": "ci-1"
            }
          ]
        }
      },
      "schema": 1
    }
    "#);
    let newer =
        text.replacen("\"schema\": 1", "\"schema\": 1,\n  \"added\": {\"b\": [1.5, null]}", 1);
    let newer = newer.replacen("\"tag\"", "\"more\": \"é\",\n \"tag\"", 1);
    std::fs::write(&path, &newer).unwrap();
    let mut file = ManifestFile::read(&path).unwrap();
    file.save().unwrap();
    let again = std::fs::read_to_string(&path).unwrap();
    assert!(again.contains("\"added\": {\n    \"b\": [\n      1.5,\n      null"), "{again}");
    assert!(again.contains("\"more\": \"é\""), "{again}");
    // Saving the same once more changes no byte.
    ManifestFile::read(&path).unwrap().save().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), again);
}

#[test]
fn whoever_read_before_another_one_wrote_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let (mut first, mut second) =
        (ManifestFile::read(&path).unwrap(), ManifestFile::read(&path).unwrap());
    let mut late = ManifestFile::read_or_empty(&folder.path().join("new.json")).unwrap();
    for file in [&mut first, &mut second] {
        let image = file.manifest.images.get_mut("ci").unwrap();
        image.record(RecordedVersion::candidate(digest(2), "ci-2", start()));
    }
    first.save().unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(second.save(), Err(ManifestError::Changed { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // The first one may go on.
    first.manifest.images.clear();
    first.save().unwrap();
    std::fs::write(folder.path().join("new.json"), "{}").unwrap();
    assert!(matches!(late.save(), Err(ManifestError::Changed { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(first.save(), Err(ManifestError::Changed { .. })));
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["new.json"]);
}

#[test]
fn a_file_that_is_no_manifest_is_told_by_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let good = std::fs::read_to_string(&path).unwrap();
    let one = digest(1).to_string();
    let mut told = String::new();
    for bad in [
        String::new(),
        "[]".to_owned(),
        "{\"schema\": 0}".to_owned(),
        "{\"schema\": \"1\"}".to_owned(),
        "{\"schema\": 2, \"images\": 7}".to_owned(),
        good.replace("\"schema\": 1", "\n<<<<<<< HEAD\n\"schema\": 1"),
        good.replace("\"schema\": 1", "\"schema\": 1, \"schema\": 1"),
        good.replace("\"ci\": {", "\"ci\": {}, \"ci\": {"),
        good.replace(&format!("\"digest\": \"{one}\",\n          \"layers\""), "\"layers\""),
        good.replacen(&one, "sha256:12", 1),
        good.replacen(&one, &digest(2).to_string(), 1),
        good.replace("1970-01-01T00:00:00Z", "yesterday"),
        good.replace("ci-1", "ci 1"),
        good.replace("registry.example/team/ci", "registry.example/team/ci:1"),
        good.replace("candidate", "released"),
        good.replace("stable", "Stable"),
        good.replace("ci-1", "ci-1\\u001b[2J"),
        good.replace("ci-1", &"x".repeat(5000)),
        "[".repeat(100_000),
    ] {
        std::fs::write(&path, &bad).unwrap();
        let error = ManifestFile::read(&path).unwrap_err();
        let words = error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER");
        assert!(words.len() < 500, "{words}");
        told += &format!("{words}\n");
    }
    insta::assert_snapshot!(told, @r#"
    the manifest FOLDER/images.json cannot be used: EOF while parsing a value at line 1 column 0
    the manifest FOLDER/images.json cannot be used: invalid length 0, expected an object with `schema` at line 1 column 2
    the manifest FOLDER/images.json cannot be used: `schema` is 0; the first schema is 1
    the manifest FOLDER/images.json cannot be used: invalid type: string "1", expected u64 at line 1 column 14
    the manifest FOLDER/images.json has schema 2; this program reads schema 1; install a newer version
    the manifest FOLDER/images.json cannot be used: line 24 is a conflict marker of git; resolve the conflict
    the manifest FOLDER/images.json cannot be used: `schema` stands twice in one object at line 24 column 1
    the manifest FOLDER/images.json cannot be used: `ci` stands twice in one object at line 22 column 3
    the manifest FOLDER/images.json cannot be used: missing field `digest` at line 18 column 9
    the manifest FOLDER/images.json cannot be used: `sha256:12` is no digest; a digest is `sha256:` and 64 lower-case hexadecimal digits at line 6 column 31
    the manifest FOLDER/images.json cannot be used: channel `stable` of `ci` has sha256:0000000000000000000000000000000000000000000000000000000000000002, which `versions` does not list
    the manifest FOLDER/images.json cannot be used: `yesterday` is no time; a time is written as 2026-01-31T08:00:00Z at line 8 column 9
    the manifest FOLDER/images.json cannot be used: version sha256:0000000000000000000000000000000000000000000000000000000000000001 of `ci` has a tag that is none: `ci 1`
    the manifest FOLDER/images.json cannot be used: `images.ci.repository` is no repository: `registry.example/team/ci:1`
    the manifest FOLDER/images.json cannot be used: unknown variant `released`, expected one of `candidate`, `tested`, `revoked` at line 17 column 30
    the manifest FOLDER/images.json cannot be used: `Stable` is no channel; a channel has 1 to 32 lower-case letters, digits and hyphens, and begins with a letter, for example `latest` or `stable` at line 5 column 16
    the manifest FOLDER/images.json cannot be used: a text in `images.ci.versions.0.tag` has the control character '\u{1b}'
    the manifest FOLDER/images.json cannot be used: a text in `images.ci.versions.0.tag` is longer than 4096 bytes
    the manifest FOLDER/images.json cannot be used: recursion limit exceeded at line 1 column 128
    "#);
}

#[test]
fn a_file_that_others_may_write_is_not_believed_and_a_missing_one_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let readable = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(readable & 0o022, 0, "{readable:o}");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let error = ManifestFile::read(&path).unwrap_err();
    assert!(error.to_string().starts_with("not using "), "{error}");
    let missing = ManifestFile::read(&folder.path().join("none.json")).unwrap_err();
    assert!(matches!(missing, ManifestError::Missing { .. }));
}

#[test]
fn a_deprecated_version_is_given_until_its_grace_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let mut file = ManifestFile::read(&path).unwrap();
    let image = file.manifest.images.get_mut("ci").unwrap();
    image.version_mut(&digest(1)).unwrap().deprecation_time = Some(start().after(days(10)));
    file.save().unwrap();
    let stable = ChannelName::stable();
    let at = |day: u64, grace: Option<u64>| {
        let (grace, now) = (grace.map(days), start().after(days(day)));
        ChannelImage::resolve(&path, "ci", &stable, grace, now)
    };
    let found = at(9, Some(5)).unwrap();
    assert_eq!(found.text, format!("registry.example/team/ci@{}", digest(1)));
    assert_eq!((found.deprecated_since, found.refused_from), (None, None));
    let found = at(10, Some(5)).unwrap();
    assert_eq!(found.deprecated_since, Some(start().after(days(10))));
    assert_eq!(found.refused_from, Some(start().after(days(15))));
    assert!(at(15, Some(5)).is_err());
    assert_eq!(at(1000, None).unwrap().refused_from, None);
    let latest = ChannelImage::resolve(&path, "ci", &ChannelName::latest(), None, start());
    assert_eq!(
        latest.unwrap_err().to_string(),
        "the image `ci` has no channel `latest`; it has stable"
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
                      at in 0usize..400) {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let mut text = std::fs::read(&path).unwrap();
        let at = at.min(text.len());
        let end = (at + bytes.len()).min(text.len());
        text[at..end].copy_from_slice(&bytes[..end - at]);
        std::fs::write(&path, &text).unwrap();
        if let Ok(mut file) = ManifestFile::read(&path) {
            file.save().unwrap();
        }
    }
}
