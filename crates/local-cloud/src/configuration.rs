//! The configuration file of `fargate-runner` that works with a cloud.

use std::path::Path;

use crate::seed;
use crate::wire::credentials::AccessKeyPair;

/// The text, for a cloud at `endpoint` whose tasks listen on `port`, with the pair of keys where the
/// cloud drew it.
pub fn text(endpoint: &str, drawn: Option<&AccessKeyPair>, port: u16, state_dir: &Path) -> String {
    let keys = match drawn {
        Some(pair) => format!(
            " AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
            pair.access_key_id, pair.secret_access_key
        ),
        None => ", and the key pair that the local cloud was started with".to_owned(),
    };
    let subnets: Vec<_> = seed::SUBNETS.iter().map(|subnet| quoted(subnet)).collect();
    format!(
        "# Before fargate-runner: export AWS_ENDPOINT_URL={endpoint}{keys}\n\
         config_version = 1\n\
         state_dir = {}\n\
         \n\
         [defaults]\n\
         cluster = {}\n\
         region = {}\n\
         subnets = [{}]\n\
         security_groups = [{}]\n\
         task_definition = {}\n\
         container = {}\n\
         host_key = \"seed\"\n\
         \n\
         [defaults.ssh]\n\
         port = {port}\n",
        quoted(&state_dir.to_string_lossy()),
        quoted(seed::CLUSTER),
        quoted(seed::REGION),
        subnets.join(", "),
        quoted(seed::SECURITY_GROUP),
        quoted(seed::FAMILY),
        quoted(seed::CONTAINER),
    )
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_the_seeded_resources_and_the_environment() {
        let drawn = AccessKeyPair::new("AKIA0", "a secret");
        let (endpoint, state_dir) = ("http://127.0.0.1:4000", Path::new("/a \"b\""));
        insta::assert_snapshot!(text(endpoint, Some(&drawn), 4000, state_dir), @r##"
        # Before fargate-runner: export AWS_ENDPOINT_URL=http://127.0.0.1:4000 AWS_ACCESS_KEY_ID=AKIA0 AWS_SECRET_ACCESS_KEY=a secret
        config_version = 1
        state_dir = "/a \"b\""

        [defaults]
        cluster = "ci"
        region = "eu-west-1"
        subnets = ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"]
        security_groups = ["sg-0c3d4e5f60718293b"]
        task_definition = "ci-job"
        container = "job"
        host_key = "seed"

        [defaults.ssh]
        port = 4000
        "##);
        insta::assert_snapshot!(text(endpoint, None, 4000, state_dir).lines().next().unwrap(), @"# Before fargate-runner: export AWS_ENDPOINT_URL=http://127.0.0.1:4000, and the key pair that the local cloud was started with");
    }
}
