//! Finds settings of a profile with which it cannot give credentials, before a source is asked. The
//! SDK's own messages name neither file nor line.
//!
//! It reads settings, and checks only whether a token file exists. How one profile leads to another
//! is in `profiles`.

use std::collections::BTreeMap;

use std::path::PathBuf;

/// Where the role of a profile may take its keys from. Source: AWS SDKs and Tools Reference Guide,
/// "Assume role credential provider".
const CREDENTIAL_SOURCES: [&str; 3] = ["Environment", "Ec2InstanceMetadata", "EcsContainer"];
/// All settings with which a profile gives credentials.
const WAYS: [&str; 7] = [
    "aws_access_key_id",
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
];

/// The value of a setting, and its position.
#[derive(Clone, Debug)]
pub struct ProfileSetting {
    /// The value without a comment at its end.
    pub value: String,
    /// The file.
    pub path: PathBuf,
    /// The line in the file, from 1.
    pub line: usize,
}

/// The settings of one profile, by name.
pub type ProfileSettings = BTreeMap<String, ProfileSetting>;

/// Whether a setting lets this profile give credentials.
pub fn gives_credentials(settings: &ProfileSettings) -> bool {
    WAYS.iter().any(|way| settings.contains_key(*way))
}

/// The setting with which the profile cannot give credentials, and what is wrong with it.
/// `has_keys` says that the profile has keys, which win over everything else.
pub fn broken_rule(
    settings: &ProfileSettings,
    has_keys: bool,
) -> Option<(&ProfileSetting, String)> {
    match settings.contains_key("role_arn") && !has_keys {
        true => unknown_source(settings).or_else(|| missing_token(settings)),
        false => half_pair(settings),
    }
}

fn unknown_source(settings: &ProfileSettings) -> Option<(&ProfileSetting, String)> {
    let source = settings.get("credential_source")?;
    let is_known = CREDENTIAL_SOURCES.contains(&source.value.as_str());
    let rule = || format!("credential_source is one of {}", CREDENTIAL_SOURCES.join(", "));
    (!is_known).then(|| (source, rule()))
}

/// Checks the token file with which a role is asked for, if nothing else is named for it.
fn missing_token(settings: &ProfileSettings) -> Option<(&ProfileSetting, String)> {
    let others = ["source_profile", "credential_source"];
    let token = settings.get("web_identity_token_file")?;
    let error = std::fs::metadata(&token.value).err()?;
    let is_alone = !others.iter().any(|other| settings.contains_key(*other));
    is_alone.then(|| (token, format!("the file {} cannot be read: {error}", token.value)))
}

fn half_pair(settings: &ProfileSettings) -> Option<(&ProfileSetting, String)> {
    let others = ["credential_process", "sso_session", "sso_start_url", "web_identity_token_file"];
    if others.iter().any(|other| settings.contains_key(*other)) {
        return None;
    }
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    let (there, missing) = match (settings.get(id), settings.get(secret)) {
        (Some(there), None) => (there, secret),
        (None, Some(there)) => (there, id),
        _ => return None,
    };
    Some((there, format!("{missing} is missing beside it")))
}
