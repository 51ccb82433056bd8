//! The settings table by itself: every row of the real one, and lists of tables in tables that no
//! key has yet.

use std::path::Path;

use toml::de::DeTable;

use crate::check::{self, ValueRefusal};
use crate::config::RunnerConfig;
use crate::job_size::JobSize;
use crate::own_grammar;
use crate::reader::{ConfigReader, ConfigTable};
use crate::row::{flag, number, table, tables, text, texts};
use crate::settings::{
    HistorySettings, JobLimits, JobProfile, JobTimeouts, ManagedImage, NotifySettings,
    PriceSettings, ServeSettings, ServeToken, SshSettings, StorageVolume, StrategyItem, TaskSecret,
    TmpfsMount,
};
use crate::table::{
    SettingKey, SettingKind, SettingSection, settings_table, table_field, table_with_defaults,
};
use crate::unknown_key::{KeyMatching, KnownSection, UnknownKey, UnknownKeyPolicy};
use crate::value::{KeyLocation, SettingValue, SettingsTable};

const REAL: [&SettingSection; 15] = [
    RunnerConfig::SECTION,
    JobProfile::SECTION,
    SshSettings::SECTION,
    JobTimeouts::SECTION,
    JobLimits::SECTION,
    StrategyItem::SECTION,
    StorageVolume::SECTION,
    ManagedImage::SECTION,
    TaskSecret::SECTION,
    TmpfsMount::SECTION,
    ServeSettings::SECTION,
    ServeToken::SECTION,
    HistorySettings::SECTION,
    NotifySettings::SECTION,
    PriceSettings::SECTION,
];

/// Reads a text as one table of `section`.
fn read(text: &str, section: &'static SettingSection) -> (SettingsTable, Vec<String>) {
    let document = DeTable::parse(text).expect(text);
    let known = KnownSection::with_sections_below(section, &["top".to_owned()]);
    let path = Path::new("config.toml");
    let mut reader = ConfigReader::new(path, text, UnknownKeyPolicy::Refuse).knowing(known);
    let place = KeyLocation::without_line("");
    let table = ConfigTable { entries: document.get_ref(), place };
    let values = reader.settings(&table, section);
    (values, reader.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn every_row_reads_its_own_default_and_example() {
    for section in REAL {
        for key in section.keys {
            let default = key.default_value().map(|value| (key.written(&value), value));
            if let Some((written, value)) = default
                && !matches!(key.kind, SettingKind::Table(_) | SettingKind::FreeTable(..))
            {
                let (values, problems) = read(&format!("{} = {written}\n", key.name), section);
                assert_eq!(problems, [""; 0], "{}", key.name);
                assert_eq!(values.value(key.name).map(|given| &given.value), Some(&value));
            }
            if let Some(example) = key.example_value() {
                let (_, problems) = read(&format!("{} = {example}\n", key.name), section);
                assert_eq!(problems, [""; 0], "{}", key.name);
            }
        }
    }
}

#[test]
fn the_values_of_every_row_have_the_types_of_their_fields() {
    let mut values = SettingsTable::default();
    for key in JobProfile::SECTION.keys.iter() {
        if let Some(example) = key.example_value() {
            let (one, _) = read(&format!("{} = {example}\n", key.name), JobProfile::SECTION);
            values = one.over(values);
        }
    }
    let profile =
        JobProfile::from_values(&values, None, Vec::new(), JobSize::default(), None, None);
    let profile = profile.expect("every type fits");
    assert_eq!(
        profile.launch(),
        crate::LaunchMode::Strategy(vec![StrategyItem {
            provider: "FARGATE_SPOT".to_owned(),
            weight: 1,
            base: 0,
        }])
    );
    assert_eq!(profile.timeouts, JobTimeouts::default());
}

#[test]
fn every_row_is_described_and_tables_come_after_plain_keys() {
    for section in REAL {
        for key in section.keys {
            let doc = key.doc.trim();
            assert!(doc.ends_with('.') && !doc.contains('\n'), "{}: {doc}", key.name);
        }
        let is_table = |key: &SettingKey| {
            matches!(key.kind, SettingKind::Table(_) | SettingKind::FreeTable(..))
        };
        assert!(section.keys.iter().is_sorted_by_key(is_table), "{}", section.name);
        for (key, other) in section.keys.iter().filter_map(|key| Some((key, key.instead_of?.0))) {
            assert!(section.key(other).is_some(), "{} instead of {other}", key.name);
        }
    }
}

#[test]
fn every_key_has_an_example_and_names_of_other_files_lead_to_a_key() {
    let known = own_grammar::known_sections();
    for section in &known {
        for key in &section.keys {
            assert!(key.example.contains(&key.name), "{}", key.name);
        }
    }
    let meant = |section: &SettingSection, given: &str| {
        UnknownKey::in_section(&known, section.name, given, KeyMatching::Exact).meant
    };
    for (given, expected) in [
        ("SecurityGroup", "security_groups"),
        ("TaskDefinition", "task_definition"),
        ("PlatformVersion", "platform_version"),
        ("subnet-ids", "subnets"),
        ("LaunchTyp", "launch_type"),
    ] {
        assert_eq!(meant(JobProfile::SECTION, given).as_deref(), Some(expected));
    }
    for (given, expected) in [
        ("visible", "task_visibility"),
        ("hello", "session_open"),
        ("stop", "task_stop"),
        ("ready", "agent_start"),
        ("rekey_mib", "rekey_after_mib"),
        ("keepalive_tries", "keepalive_tries"),
        ("relaunches", "task_relaunches"),
    ] {
        assert_eq!(meant(JobTimeouts::SECTION, given).as_deref(), Some(expected));
    }
}

settings_table! {
    /// A folder that containers share.
    #[derive(Debug, PartialEq, Eq)]
    pub struct VolumeSettings {
        /// Its name.
        pub name: String = text(check::container).example("\"cache\""),
        /// Whether it stays.
        pub is_kept: bool = flag().or_flag(true),
        /// Options.
        pub options: Vec<String> = texts(0, 2, check::container).or_empty(),
        /// Where it is mounted.
        pub mounts: Vec<MountSettings> =
            tables(0, 3, MountSettings::SECTION, |_| Vec::new()).or_empty(),
        /// Its limits.
        pub size: VolumeSize = table(VolumeSize::SECTION),
    }
}

settings_table! {
    /// A place where a container sees the folder.
    #[derive(Debug, PartialEq, Eq)]
    pub struct MountSettings {
        /// The path in the container.
        pub path: String = text(check::absolute_path).example("\"/cache\""),
        /// The container.
        pub container: Option<String> = text(check::container).or_absent("the main one"),
    }
}

settings_table! {
    /// How large the folder may become.
    #[derive(Debug, PartialEq, Eq)]
    pub struct VolumeSize {
        /// In GiB.
        pub max_gib: u32 = number(1, 200).or_number(20),
    }
}

settings_table! {
    /// A table with a list of tables.
    #[derive(Debug, PartialEq, Eq)]
    pub struct SharedSettings {
        /// The folders.
        pub volumes: Vec<VolumeSettings> =
            tables(1, 2, VolumeSettings::SECTION, one_is_kept).or_empty(),
    }
}

table_field!(VolumeSettings);
table_field!(MountSettings);
table_with_defaults!(VolumeSize);

fn one_is_kept(volumes: &[SettingsTable]) -> Vec<ValueRefusal> {
    let kept = |volume: &&SettingsTable| volume.get::<bool>("is_kept").is_some_and(|is| is.value);
    match volumes.iter().filter(kept).count() {
        0 => vec![ValueRefusal::new("has no volume that is kept")],
        _ => Vec::new(),
    }
}

const NESTED: &str = "
    [[volumes]]
    name = 'cache'
    options = ['a', 'b']
    mounts = [{ path = '/cache' }, { path = '/again', container = 'side' }]
    size = { max_gib = 30 }

    [[volumes]]
    name = 'scratch'
    is_kept = false

    [[volumes.mounts]]
    path = '/tmp'
";

fn mount(path: &str, container: Option<&str>) -> MountSettings {
    MountSettings { path: path.to_owned(), container: container.map(str::to_owned) }
}

#[test]
fn lists_of_tables_nest_and_fill_in_their_defaults() {
    let (values, problems) = read(NESTED, SharedSettings::SECTION);
    assert_eq!(problems, [""; 0]);
    let cache = VolumeSettings {
        name: "cache".to_owned(),
        is_kept: true,
        options: vec!["a".to_owned(), "b".to_owned()],
        mounts: vec![mount("/cache", None), mount("/again", Some("side"))],
        size: VolumeSize { max_gib: 30 },
    };
    let scratch = VolumeSettings {
        name: "scratch".to_owned(),
        is_kept: false,
        options: Vec::new(),
        mounts: vec![mount("/tmp", None)],
        size: VolumeSize::default(),
    };
    let shared = SharedSettings::from_values(&values).unwrap();
    assert_eq!(shared.volumes, [cache, scratch]);
}

#[test]
fn what_is_written_of_nested_lists_can_be_read_again() {
    let (values, _) = read(NESTED, SharedSettings::SECTION);
    let key = SharedSettings::SECTION.key("volumes").unwrap();
    let written = key.written(&values.value("volumes").unwrap().value);
    insta::assert_snapshot!(written, @r#"[{ name = "cache", is_kept = true, options = ["a", "b"], mounts = [{ path = "/cache" }, { path = "/again", container = "side" }], size = { max_gib = 30 } }, { name = "scratch", is_kept = false, options = [], mounts = [{ path = "/tmp" }], size = {} }]"#);
    let (again, problems) = read(&format!("volumes = {written}\n"), SharedSettings::SECTION);
    assert_eq!(problems, [""; 0]);
    assert_eq!(SharedSettings::from_values(&again), SharedSettings::from_values(&values));
}

#[test]
fn one_list_takes_the_place_of_another_as_a_whole() {
    let (values, _) = read(NESTED, SharedSettings::SECTION);
    let (other, _) = read("volumes = [{ name = 'only' }]\n", SharedSettings::SECTION);
    let merged = SharedSettings::from_values(&other.over(values)).unwrap();
    let names: Vec<_> = merged.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["only"]);
}

#[test]
fn problems_in_nested_lists_name_the_key_and_the_line() {
    let problems = |text: &str| read(text, SharedSettings::SECTION).1.join("\n");
    insta::assert_snapshot!(problems("volumes = 1\n"), @r#"config.toml:1: key `volumes` is a whole number, a list of 1 to 2 tables is expected"#);
    insta::assert_snapshot!(problems("volumes = [1]\n"), @r#"config.toml:1: key `volumes` has a whole number as item 1, a list of 1 to 2 tables is expected"#);
    insta::assert_snapshot!(problems("volumes = []\n"), @r#"config.toml:1: key `volumes` has 0 items, a list of 1 to 2 tables is expected"#);
    insta::assert_snapshot!(problems("volumes = [{ name = 'a', is_kept = false }]\n"), @r#"config.toml:1: key `volumes` has no volume that is kept"#);
    insta::assert_snapshot!(problems("volumes = [{ name = 'a' },\n{ name = 'a' }]\n"), @r#"config.toml:2: key `volumes` has "a" twice"#);
    insta::assert_snapshot!(problems("[[volumes]]\nmounts = [{ paht = '/a' }]\n"), @r#"
    config.toml:2: key `volumes.mounts.paht` is not known here, nearest is `path`
    config.toml:2: key `volumes.mounts` has an item without `path`
    config.toml:1: key `volumes` has an item without `name`
    "#);
    insta::assert_snapshot!(problems("volumes = [{ name = 'a', mounts = [{ path = 'b' }] }]\n"), @r#"config.toml:1: key `volumes.mounts.path` is "b", an absolute path is expected"#);
    insta::assert_snapshot!(problems("volumes = [{ name = 'a', size = { max_gib = 0 } }]\n"), @r#"config.toml:1: key `volumes.size.max_gib` is 0, a number from 1 to 200 is expected"#);
}

#[test]
fn a_value_of_another_kind_is_no_field() {
    let mut values = SettingsTable::default();
    values.set("max_gib", crate::value::LocatedValue::implied(SettingValue::Flag(true)));
    assert_eq!(VolumeSize::from_values(&values), None);
}
