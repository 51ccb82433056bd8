//! The environment and the configuration with which a driver is started against a local cloud.

use std::ffi::OsString;
use std::path::Path;

use fargate_local_cloud::AccessKeyPair;

/// The Region of the local cloud if the environment names none.
const REGION: &str = "eu-west-1";

/// The environment of this process, with AWS variables that lead to the cloud at `endpoint` with its keys.
///
/// Profiles, keys and other endpoints of this process are left out, so that no job reaches a real account.
#[must_use]
pub fn of_driver(endpoint: &str, keys: &AccessKeyPair) -> Vec<(OsString, OsString)> {
    from(std::env::vars_os().collect(), endpoint, keys)
}

fn from(
    present: Vec<(OsString, OsString)>,
    endpoint: &str,
    keys: &AccessKeyPair,
) -> Vec<(OsString, OsString)> {
    let value =
        |name: &str| present.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let region = value("AWS_REGION").unwrap_or_else(|| REGION.into());
    let ours = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("AWS_") || name.starts_with("FARGATE_") || name.starts_with("CUSTOM_ENV_")
    };
    let mut environment: Vec<_> = present.into_iter().filter(|(name, _)| !ours(name)).collect();
    environment.extend([
        ("AWS_ENDPOINT_URL".into(), endpoint.into()),
        ("AWS_ACCESS_KEY_ID".into(), keys.access_key_id.clone().into()),
        ("AWS_SECRET_ACCESS_KEY".into(), keys.secret_access_key.clone().into()),
        ("AWS_REGION".into(), region),
        ("AWS_EC2_METADATA_DISABLED".into(), "true".into()),
    ]);
    let token = keys.session_token.as_ref();
    environment.extend(token.map(|token| ("AWS_SESSION_TOKEN".into(), token.into())));
    environment
}

/// The configuration `text`, changed so that the operator's log is the file `log`.
#[must_use]
pub fn with_log_file(text: &str, log: &Path) -> String {
    if text.lines().any(|line| line.trim_start().starts_with("log_file")) {
        return text.to_owned();
    }
    // Keys of the top level stand before the first table.
    let line = format!("log_file = {:?}\n", log.to_string_lossy());
    let at = text
        .lines()
        .take_while(|line| !line.trim_start().starts_with('['))
        .map(|l| l.len() + 1)
        .sum();
    let (top, tables) = text.split_at(usize::min(at, text.len()));
    format!("{top}{line}{tables}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(key, value)| (key.into(), value.into())).collect()
    }

    fn find<'a>(environment: &'a [(OsString, OsString)], name: &str) -> Option<&'a str> {
        let found = environment.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn no_variable_leads_to_a_real_account() {
        let present = pairs(&[
            ("PATH", "/bin"),
            ("AWS_PROFILE", "production"),
            ("AWS_SESSION_TOKEN", "x"),
            ("AWS_ACCESS_KEY_ID", "of a real account"),
            ("AWS_ENDPOINT_URL_ECS", "https://elsewhere"),
            ("FARGATE_RUNNER_CONFIG", "/etc/real.toml"),
        ]);
        let environment = from(present, "http://127.0.0.1:1", &AccessKeyPair::new("AKIA", "x"));
        for gone in
            ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_ECS", "FARGATE_RUNNER_CONFIG"]
        {
            assert_eq!(find(&environment, gone), None, "{gone}");
        }
        assert_eq!(find(&environment, "AWS_ACCESS_KEY_ID"), Some("AKIA"));
        assert_eq!(find(&environment, "AWS_ENDPOINT_URL"), Some("http://127.0.0.1:1"));
        assert_eq!(find(&environment, "PATH"), Some("/bin"));
    }

    #[test]
    fn the_log_file_stands_before_the_first_table() {
        let text =
            with_log_file("config_version = 1\n\n[defaults]\ncluster = \"ci\"\n", Path::new("/l"));
        assert_eq!(text, "config_version = 1\n\nlog_file = \"/l\"\n[defaults]\ncluster = \"ci\"\n");
        assert_eq!(with_log_file("log_file = \"x\"\n", Path::new("/l")), "log_file = \"x\"\n");
    }
}
