//! The image's configuration for normalised layers: their `diff_ids`, times that are clamped, and none of the
//! ids that an engine invents for each build.
//!
//! Every other member stays as it is.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

/// Members of the configuration, and of its `config`, that differ from build to build and mean nothing to
/// whoever runs the image.
const INVENTED: &[&str] = &["container", "container_config", "docker_version"];
const INVENTED_WITHIN: &[&str] = &["Hostname", "Domainname", "Image"];

/// The new configuration; an error in words for people.
pub(crate) fn normalised_config(
    bytes: &[u8],
    diff_ids: &[String],
    latest_time: i64,
) -> Result<Vec<u8>, String> {
    let unreadable = || "the image's configuration is not as documented".to_owned();
    let mut config: Value = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
    let members = config.as_object_mut().ok_or_else(unreadable)?;
    for name in INVENTED {
        members.remove(*name);
    }
    if let Some(within) = members.get_mut("config").and_then(Value::as_object_mut) {
        for name in INVENTED_WITHIN {
            within.remove(*name);
        }
    }
    let seconds = u64::try_from(latest_time).unwrap_or(0);
    let latest =
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
    clamp(members.get_mut("created"), &latest);
    for step in members.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
        clamp(step.get_mut("created"), &latest);
    }
    members
        .insert("rootfs".to_owned(), serde_json::json!({ "type": "layers", "diff_ids": diff_ids }));
    serde_json::to_vec(&config).map_err(|_| unreadable())
}

/// Both are RFC 3339 in UTC, so they compare as texts up to the seconds.
fn clamp(created: Option<&mut Value>, latest: &str) {
    if let Some(created) = created {
        let is_later = created.as_str().is_none_or(|text| {
            !text.ends_with('Z') || text.get(..19).is_none_or(|text| text > &latest[..19])
        });
        if is_later {
            *created = Value::String(latest.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builds_of_one_content_have_one_configuration() {
        let build = |at: &str, container: &str| {
            let text = format!(
                r#"{{"created":"{at}","container":"{container}","architecture":"amd64","os":"linux",
                "config":{{"Cmd":["sh"],"Image":"sha256:{container}","Hostname":"{container}"}},
                "history":[{{"created":"1999-01-01T00:00:00Z"}},{{"created":"{at}"}}],
                "rootfs":{{"type":"layers","diff_ids":["sha256:{container}"]}}}}"#
            );
            normalised_config(text.as_bytes(), &["sha256:a".to_owned()], 1_000_000_000).unwrap()
        };
        let first = build("2026-01-01T10:00:00.123Z", "1");
        assert_eq!(first, build("2026-02-02T20:00:00.456Z", "2"));
        let read: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(read["created"], "2001-09-09T01:46:40Z");
        assert_eq!(read["history"][0]["created"], "1999-01-01T00:00:00Z");
        assert_eq!(read["config"], serde_json::json!({ "Cmd": ["sh"] }));
        assert!(normalised_config(b"[]", &[], 0).is_err());
    }
}
