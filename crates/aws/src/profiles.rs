//! The AWS profiles of this host: the files `config` and `credentials`, as an administrator wrote
//! them.
//!
//! For one wrong line, the SDK refuses the whole file. Here a wrong line only harms the profile
//! that contains it. If that profile is used, the error names file, profile and line, but never the
//! line's text, which may be secret. A byte order mark is ignored.
//!
//! The SDK then gets the text without its wrong lines, and without each `credential_process`, which
//! we run ourselves. As in GitLab's driver, a profile is found with or without the word `profile`
//! in its heading, and keys win over a process.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Process
//! credential provider".

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::escape;

use crate::profile_lines::{LineReader, NAMED_KINDS, ProfileLine, heading_of, setting};
use crate::profile_rules::{ProfileSetting, broken_rule, gives_credentials};
use fargate_files::read_at_most;

/// Longest file that is read. One with a thousand profiles has 200 KiB.
const LONGEST: u64 = 4 * 1024 * 1024;
/// The profile that is used if nobody names one.
const DEFAULT: &str = "default";
/// The word that begins the heading of an SSO login.
const SSO_SESSION: &str = "sso-session";
/// In the text for the SDK, this and a number stand for a process that we run.
const PROCESS_SOURCE: &str = "fargate-runner-process-";
/// In the text for the SDK, this and a number replace the name of a profile that the SDK does not
/// accept.
const MADE_UP_NAME: &str = "fargate-runner-profile-";
/// Settings that win over a process in the same profile.
const BEFORE_PROCESS: [&str; 8] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
];

/// The content of both files.
#[derive(Debug, Default)]
pub struct AwsProfiles {
    /// The profile that is used.
    pub selected: String,
    /// Whether the environment names it.
    is_named: bool,
    config: ProfileFile,
    credentials: ProfileFile,
    /// The sections, by the name of the profile or by `sso-session NAME`.
    sections: BTreeMap<String, BTreeMap<String, ProfileSetting>>,
    wrong: Vec<WrongProfileLine>,
    /// The names that the SDK does not accept, each with its replacement.
    made_up: BTreeMap<String, String>,
}

/// One file.
#[derive(Debug, Default)]
struct ProfileFile {
    path: PathBuf,
    text: String,
    /// Why the file was not read, if it exists.
    unread: Option<String>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WrongProfileLine {
    path: PathBuf,
    line: usize,
    /// `None` if nobody can say to which section it belongs.
    section: Option<String>,
    rule: &'static str,
}

/// A command that prints credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSetting {
    /// The name that the SDK knows it by.
    pub source: String,
    /// The command, for `sh`.
    pub command: String,
    /// The profile that contains it.
    pub profile: String,
    /// The file.
    pub path: PathBuf,
    /// The line in the file, from 1.
    pub line: usize,
}

impl AwsProfiles {
    /// Reads the files that the environment of this process names, else those in the home folder. A
    /// missing file counts as empty.
    pub fn read() -> Self {
        Self::of(|name| std::env::var_os(name), home())
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = given("HOME").map(PathBuf::from).or(home).unwrap_or_default();
        let file = |name: &str, usual: &str| {
            let named = given(name).map(PathBuf::from);
            let path = named.unwrap_or_else(|| home.join(".aws").join(usual));
            let path = path.strip_prefix("~").map(|rest| home.join(rest)).unwrap_or(path);
            ProfileFile::read(path)
        };
        let named = given("AWS_PROFILE").map(|name| name.to_string_lossy().into_owned());
        let mut profiles = Self {
            is_named: named.is_some(),
            selected: named.unwrap_or_else(|| DEFAULT.to_owned()),
            config: file("AWS_CONFIG_FILE", "config"),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            ..Self::default()
        };
        let config = std::mem::take(&mut profiles.config);
        profiles.config = profiles.take_in(config, EnvConfigFileKind::Config);
        let credentials = std::mem::take(&mut profiles.credentials);
        profiles.credentials = profiles.take_in(credentials, EnvConfigFileKind::Credentials);
        profiles.put_processes_aside();
        profiles
    }

    /// Notes the content of a file, and returns the file without its wrong lines.
    fn take_in(&mut self, file: ProfileFile, kind: EnvConfigFileKind) -> ProfileFile {
        let mut clean = String::new();
        let mut reader = LineReader::default();
        for (at, line) in file.text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line_number = at + 1;
            let wrong = |section: &Option<String>, rule| WrongProfileLine {
                path: file.path.clone(),
                line: line_number,
                section: section.clone(),
                rule,
            };
            match reader.read(line) {
                Ok(ProfileLine::Kept) => clean.push_str(line),
                Ok(ProfileLine::Dropped) => {}
                Ok(ProfileLine::Heading(name)) => {
                    self.sections.entry(name.clone()).or_default();
                    clean.push_str(&heading(&self.for_sdk(&name), kind));
                }
                Ok(ProfileLine::Setting(name, value)) => {
                    let section = reader.section.clone().unwrap_or_default();
                    let setting =
                        ProfileSetting { value, path: file.path.clone(), line: line_number };
                    match name == "source_profile" {
                        true => {
                            let source = self.for_sdk(&setting.value);
                            clean.push_str(&format!("{name} = {source}"));
                        }
                        false => clean.push_str(line.trim_start_matches([' ', '\t'])),
                    }
                    self.sections.entry(section).or_default().insert(name, setting);
                }
                Ok(ProfileLine::Nested(parent, name, value)) => {
                    let section = reader.section.clone().unwrap_or_default();
                    let setting =
                        ProfileSetting { value, path: file.path.clone(), line: line_number };
                    let name = format!("{parent}.{name}");
                    self.sections.entry(section).or_default().insert(name, setting);
                    clean.push_str(line);
                }
                Err(rule) => self.wrong.push(wrong(&reader.section, rule)),
            }
            clean.push('\n');
        }
        ProfileFile { text: clean, ..file }
    }

    /// The name of a section for the SDK: its own, or a replacement if the SDK does not accept it.
    fn for_sdk(&mut self, section: &str) -> String {
        let kind = section.split_once(' ').filter(|(kind, _)| NAMED_KINDS.contains(kind));
        // The file that caches a login is named after the session, so that name must stay.
        if kind.is_some() || is_known_name(section) {
            return section.to_owned();
        }
        let next = self.made_up.len();
        let made_up = self.made_up.entry(section.to_owned());
        made_up.or_insert_with(|| format!("{MADE_UP_NAME}{next}")).clone()
    }

    /// The name of the used profile for the SDK.
    pub fn selected_for_sdk(&self) -> &str {
        self.made_up.get(&self.selected).unwrap_or(&self.selected)
    }

    /// Replaces each process by a source of ours.
    fn put_processes_aside(&mut self) {
        let mut processes = self.processes();
        for process in &mut processes {
            process.profile = self.for_sdk(&process.profile);
        }
        let replaced = |text: &str| {
            let mut section = String::new();
            let mut out = String::new();
            for line in text.lines() {
                if let Some(name) = heading_of(line) {
                    section = name;
                }
                let is_process = !line.starts_with([' ', '\t'])
                    && setting(line).is_some_and(|(name, _)| name == "credential_process");
                let source = processes.iter().find(|process| process.profile == section);
                match (is_process, source) {
                    (false, _) => out.push_str(line),
                    (true, Some(process)) => {
                        out.push_str(&format!("credential_source = {}", process.source));
                    }
                    (true, None) => {}
                }
                out.push('\n');
            }
            out
        };
        self.config.text = replaced(&self.config.text);
        self.credentials.text = replaced(&self.credentials.text);
    }

    /// The processes that may be run. One is left out if another source stands beside it.
    pub fn processes(&self) -> Vec<ProcessSetting> {
        let with_process = self.sections.iter().filter_map(|(profile, settings)| {
            let has = |name: &str| settings.contains_key(name);
            let has_keys = has("aws_access_key_id") && has("aws_secret_access_key");
            let others = has_keys || BEFORE_PROCESS.into_iter().any(has);
            Some((profile, settings.get("credential_process").filter(|_| !others)?))
        });
        let numbered = with_process.enumerate();
        numbered
            .map(|(number, (profile, setting))| ProcessSetting {
                source: format!("{PROCESS_SOURCE}{number}"),
                command: setting.value.clone(),
                profile: profile.clone(),
                path: setting.path.clone(),
                line: setting.line,
            })
            .collect()
    }

    /// The files for the SDK.
    pub fn files(&self) -> EnvConfigFiles {
        EnvConfigFiles::builder()
            .with_contents(EnvConfigFileKind::Config, self.config.text.clone())
            .with_contents(EnvConfigFileKind::Credentials, self.credentials.text.clone())
            .build()
    }

    /// Whether a file has the used profile.
    pub fn has_selected(&self) -> bool {
        self.sections.contains_key(&self.selected)
    }

    /// Whether the credentials of the used profile come from STS or SSO.
    pub fn asks_a_service(&self) -> bool {
        ["role_arn", "sso_session", "sso_start_url"].iter().any(|name| self.setting(name).is_some())
    }

    /// A setting of the used profile.
    pub fn setting(&self, name: &str) -> Option<&ProfileSetting> {
        self.sections.get(&self.selected)?.get(name)
    }

    /// A setting of one service, from the section that the profile names for its services.
    pub fn service_setting(&self, service: &str, name: &str) -> Option<&ProfileSetting> {
        let section = format!("services {}", self.setting("services")?.value);
        self.sections.get(&section)?.get(&format!("{service}.{name}"))
    }

    /// Both paths, for people, and why a file was not read.
    pub fn places(&self) -> String {
        let place = |file: &ProfileFile| match &file.unread {
            None => file.path.display().to_string(),
            Some(error) => format!("{} (it cannot be read: {error})", file.path.display()),
        };
        format!("{} and {}", place(&self.config), place(&self.credentials))
    }

    /// The used profile, for people: its name, and the file that says most about it.
    pub fn blamed(&self) -> CauseReport {
        let in_credentials = self.sections.get(&self.selected).is_some_and(|settings| {
            settings.values().all(|setting| setting.path == self.credentials.path)
        });
        let file = if in_credentials { &self.credentials } else { &self.config };
        CauseReport::new(FailureCause::AwsProfile)
            .with("profile", &self.selected)
            .with("path", file.path.to_string_lossy())
    }

    /// Checks the used profile and the ones that it names, before anything is sent.
    ///
    /// # Errors
    ///
    /// Returns [`FailureCause::AwsProfile`] if a profile does not exist, has a wrong line, or
    /// cannot give credentials.
    pub fn check(&self) -> Result<(), CauseReport> {
        let mut used = BTreeSet::new();
        let followed = self.follow(&mut used);
        let in_used =
            |line: &&WrongProfileLine| line.section.as_ref().is_some_and(|s| used.contains(s));
        if let Some(wrong) = self.wrong.iter().find(in_used) {
            return Err(self.blamed_for(wrong));
        }
        // Only after the wrong lines: a missing setting may be in a line that cannot be read.
        followed?;
        if self.has_selected() || !self.is_named {
            return Ok(());
        }
        // A heading that cannot be read may be the one that is missing.
        if let Some(wrong) = self.wrong.iter().find(|wrong| wrong.section.is_none()) {
            return Err(self.blamed_for(wrong));
        }
        let names = format!("AWS_PROFILE names it, and no file has it: {}.", self.places());
        Err(self.blamed().because(escape(&names)))
    }

    fn blamed_for(&self, wrong: &WrongProfileLine) -> CauseReport {
        let WrongProfileLine { path, line, section, rule } = wrong;
        let of = section.as_ref().map(|section| format!(", in [{section}]")).unwrap_or_default();
        let text = format!("Line {line} of {}{of}: {rule}.", path.display());
        self.blamed().with("path", path.to_string_lossy()).because(escape(&text))
    }

    /// Adds the used profile, the ones from which it takes credentials, and their SSO sessions.
    /// Stops at the first one that cannot give credentials.
    fn follow(&self, used: &mut BTreeSet<String>) -> Result<(), CauseReport> {
        let mut next = Some(self.selected.clone());
        while let Some(name) = next.take() {
            used.insert(name.clone());
            let Some(settings) = self.sections.get(&name) else { break };
            let has_keys = name != self.selected && settings.contains_key("aws_access_key_id");
            let wrong = self.contradiction(&name, settings);
            if let Some((setting, rule)) = wrong.or_else(|| broken_rule(settings, has_keys)) {
                return Err(self.blamed_at(setting, &name, &rule));
            }
            let session = settings.get("sso_session");
            used.extend(session.map(|session| format!("{SSO_SESSION} {}", session.value)));
            let Some(source) = source_of(settings) else { break };
            if source.value == name {
                let rule = "source_profile is this profile itself, which has no keys";
                let has_keys = settings.contains_key("aws_access_key_id");
                return if has_keys { Ok(()) } else { Err(self.blamed_at(source, &name, rule)) };
            }
            let rule = match self.sections.get(&source.value) {
                None => format!("there is no profile {:?}", source.value),
                Some(settings) if !gives_credentials(settings) => {
                    format!("profile {:?} has no credentials", source.value)
                }
                Some(_) => String::new(),
            };
            if !rule.is_empty() {
                return Err(self.blamed_at(source, &name, &rule));
            }
            if used.contains(&source.value) {
                return Err(self.blamed_at(source, &name, "source_profile leads in a circle"));
            }
            next = Some(source.value.clone());
        }
        Ok(())
    }

    /// The setting with which a profile cannot give credentials, and what is wrong with it.
    fn contradiction<'a>(
        &self,
        profile: &str,
        settings: &'a BTreeMap<String, ProfileSetting>,
    ) -> Option<(&'a ProfileSetting, String)> {
        let has = |name: &str| settings.contains_key(name);
        if let Some(session) = settings.get("sso_session")
            && !self.sections.contains_key(&format!("{SSO_SESSION} {}", session.value))
        {
            return Some((
                session,
                format!("there is no section [{SSO_SESSION} {}]", session.value),
            ));
        }
        let session = settings.get("sso_session");
        if let Some(session) = session.filter(|session| !is_known_name(&session.value)) {
            let rule = "a name of an sso-session with blanks or quotes is unknown here; rename it";
            return Some((session, rule.to_owned()));
        }
        // In every profile after the used one, keys win over everything else.
        let has_keys = profile != self.selected && has("aws_access_key_id");
        if let Some(role) = settings.get("role_arn").filter(|_| !has_keys) {
            let web = has("web_identity_token_file");
            return match (has("source_profile"), has("credential_source")) {
                (true, true) => {
                    let rule = "source_profile and credential_source exclude each other";
                    Some((settings.get("source_profile")?, rule.to_owned()))
                }
                (false, false) if !web => {
                    Some((role, "role_arn needs source_profile or credential_source".to_owned()))
                }
                _ => None,
            };
        }
        let login = settings.get("login_session");
        let others = ["sso_session", "sso_start_url", "credential_source"].into_iter().any(has);
        let rule = "login_session is unknown here; use SSO or a credential_process";
        login.filter(|_| !others && !has("role_arn")).map(|login| (login, rule.to_owned()))
    }

    fn blamed_at(&self, setting: &ProfileSetting, profile: &str, rule: &str) -> CauseReport {
        let ProfileSetting { path, line, .. } = setting;
        let text = format!("Line {line} of {}, in [{profile}]: {rule}.", path.display());
        self.blamed().with("path", path.to_string_lossy()).because(escape(&text))
    }

    /// Wrong lines in profiles that are not used, for the operator.
    pub fn harmless(&self) -> impl Iterator<Item = String> {
        self.wrong
            .iter()
            .map(|wrong| format!("line {} of {}: {}", wrong.line, wrong.path.display(), wrong.rule))
    }
}

impl ProfileFile {
    fn read(path: PathBuf) -> Self {
        let (text, unread) = match contents(&path) {
            Ok(text) => (text, None),
            Err(error) => (String::new(), error),
        };
        Self { path, text, unread }
    }
}

/// Whether the SDK accepts a section of this name. Source: its `validate_identifier`.
fn is_known_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&b);
    !name.is_empty() && name.bytes().all(allowed)
}

/// The profile from which this one takes the keys to assume its role.
fn source_of(settings: &BTreeMap<String, ProfileSetting>) -> Option<&ProfileSetting> {
    settings.get("source_profile").filter(|_| settings.contains_key("role_arn"))
}

/// The text of a file. A missing file is no error.
fn contents(path: &Path) -> Result<String, Option<String>> {
    let bytes = read_at_most(path, LONGEST).map_err(|error| {
        (error.kind() != std::io::ErrorKind::NotFound).then(|| error.to_string())
    })?;
    // Some editors on Windows write UTF-16.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Some("it is in UTF-16; write it in UTF-8".to_owned()));
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(Some(format!("it is longer than {} MiB", LONGEST / 1024 / 1024)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The user's home folder if no variable names one, as in a service.
fn home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten()?;
    Some(user.dir)
}

/// The heading of a section as the SDK wants it in this kind of file.
fn heading(name: &str, kind: EnvConfigFileKind) -> String {
    match kind {
        EnvConfigFileKind::Config if name != DEFAULT && !name.contains(' ') => {
            format!("[profile {name}]")
        }
        _ => format!("[{name}]"),
    }
}

#[cfg(test)]
mod tests;
