//! Makes the reference file, `default-config.toml`, from the settings table, and holds the two
//! together. To write the file anew after a change of the table:
//! `UPDATE_REFERENCE=1 cargo test -p fargate-config reference`.

use std::path::Path;

use crate::config::RunnerConfig;
use crate::settings::{JobProfile, ManagedImage, StorageVolume};
use crate::table::{SettingDefault, SettingKey, SettingKind, SettingSection, limits_of_time};
use crate::toml_text::toml_comment as comment;

/// Longest line, in characters.
const WIDTH: usize = 100;

const ABOUT: &str = "\
# The configuration of Fargate Runner, with every key there is.
#
# A line that begins with `# ` explains. A line that begins with `#` and a key is that key with its
# default. Where the text above it says REQUIRED or Example, the value is only an example. To change a
# setting, remove the `#` and edit the value. The lines marked REQUIRED must be filled in; then
# `fargate-runner config check` says whether the file is right, and `fargate-runner config show` prints
# what is in effect, line by line.
#
# The file is read from /etc/fargate-runner/config.toml unless `-c FILE` or the variable
# FARGATE_RUNNER_CONFIG names another. It holds no secrets. Durations are written with their unit,
# such as \"200ms\", \"30s\", \"15m\" or \"1h 30m\".

# The version of this grammar. Always 1, always there.
config_version = 1
";

const ABOUT_DEFAULTS: &str =
    "The settings of every job. Each [profile.NAME] further down begins with them.";

const ABOUT_IMAGES: &str = "Which profile runs a job that asks for an image by `image:` in its pipeline, where `--profile` names \
     none: a pattern, in which `*` stands for any characters, and the name of a profile. The longest \
     pattern that fits decides, among the profiles that are for the job: where some have `projects` that \
     name its project, among those alone. The profile runs its own image. No default. Example:";

const ABOUT_VOLUME: &str = "A shared folder on EFS. Profiles name it in `volumes`. `fargate-runner efs apply` makes what it needs. \
     No default. Example:";

const ABOUT_IMAGE: &str = "An image that `fargate-runner image` builds, checks, pushes and promotes. A profile runs it by its \
     channel: `image = \"ci@stable\"`. No default. Example:";

/// The profiles at the end, each with the key that it shows: one that cannot be in a table with the
/// key that it is given instead of.
const PROFILES: [(&str, &str, &str); 2] = [
    (
        "spot",
        "capacity_provider_strategy",
        "A profile, chosen by `--profile spot` in the arguments of each stage, so that several \
         [[runners]] share this file. It has the keys of [defaults]; what it leaves out comes from \
         there, tables key by key, lists as a whole. No default. Example:",
    ),
    (
        "own-image",
        "image",
        "A profile whose task definition is made from a template and registered. No default. \
         Example:",
    ),
];

/// The whole file.
fn reference() -> String {
    let mut out = ABOUT.to_owned();
    keys(RunnerConfig::SECTION, "", &mut out);
    out.push_str(&format!(
        "\n\n{}[images]\n#\"node:*\" = \"own-image\"\n",
        comment(ABOUT_IMAGES, WIDTH)
    ));
    out.push_str(&format!("\n\n{}#[volume.cache]\n", comment(ABOUT_VOLUME, WIDTH)));
    keys(StorageVolume::SECTION, "volume.cache", &mut out);
    out.push_str(&format!("\n\n{}#[image.ci]\n", comment(ABOUT_IMAGE, WIDTH)));
    keys(ManagedImage::SECTION, "image.ci", &mut out);
    out.push_str(&format!("\n\n{}[defaults]\n", comment(ABOUT_DEFAULTS, WIDTH)));
    keys(JobProfile::SECTION, "defaults", &mut out);
    for (profile, choice, about) in PROFILES {
        out.push_str(&format!("\n\n{}#[profile.{profile}]\n", comment(about, WIDTH)));
        for key in JobProfile::SECTION.keys {
            if JobProfile::SECTION.choice_of(key).is_some_and(|of| of.name == choice) {
                out.push_str(&paragraph(key));
            }
        }
    }
    out
}

/// The keys of a section, and the tables below it. A key that is given instead of another one, and
/// what belongs to it, stands in a profile at the end: the two cannot be in one table.
fn keys(section: &SettingSection, header: &str, out: &mut String) {
    for key in section.keys.iter().filter(|key| section.choice_of(key).is_none()) {
        let about = |rest: &str| comment(&format!("{}{rest}", key.doc.trim()), WIDTH);
        match key.kind {
            SettingKind::Table(below) => {
                let header = match header {
                    "" => key.name.to_owned(),
                    header => format!("{header}.{}", key.name),
                };
                out.push_str(&format!("\n\n{}[{header}]\n", about("")));
                keys(below, &header, out);
            }
            SettingKind::FreeTable(..) => {
                let about = about(" No default. Example:");
                out.push_str(&format!("\n\n{about}[{header}.{}]\n#team = \"build\"\n", key.name));
            }
            _ => out.push_str(&paragraph(key)),
        }
    }
}

/// One key under the comment that explains it.
fn paragraph(key: &SettingKey) -> String {
    let mut text = key.doc.trim().to_owned();
    text.push_str(&match key.kind {
        SettingKind::Number(min, max) => format!(" From {min} to {max}."),
        SettingKind::Time(min, max) => format!(" From {}.", limits_of_time(&(min..=max))),
        SettingKind::Seconds(min, max) => {
            format!(" Whole seconds, from {}.", limits_of_time(&(min..=max)))
        }
        SettingKind::Texts(min, max, _) => format!(" {min} to {max} items."),
        SettingKind::Tables(list) => format!(" {} to {} items.", list.min, list.max),
        _ => String::new(),
    });
    if let Some(other) = key.at_most {
        text.push_str(&format!(" At most `{other}`."));
    }
    let value = match key.default {
        SettingDefault::Required => {
            text = format!("REQUIRED. {text}");
            key.example_value()
        }
        SettingDefault::Absent(what) => {
            text.push_str(&format!(" No default: {what}. Example:"));
            key.example_value()
        }
        _ => key.default_value().map(|value| key.written(&value)),
    };
    let value = value.expect("a key that is no table has a default or an example");
    format!("\n{}#{} = {value}\n", comment(&text, WIDTH), key.name)
}

#[test]
fn the_reference_file_is_what_the_settings_table_makes() {
    let made = reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("default-config.toml");
        std::fs::write(path, &made).expect("the reference file can be written");
        return;
    }
    assert!(
        made == crate::REFERENCE,
        "default-config.toml is not what the settings table makes; write it anew with \
         `UPDATE_REFERENCE=1 cargo test -p fargate-config reference`"
    );
}
