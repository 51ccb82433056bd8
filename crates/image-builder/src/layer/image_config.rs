//! The image's configuration for normalised layers: their `diff_ids`, times that are clamped, and none of the
//! ids that an engine invents for each build.
//!
//! Every other member stays as it is.

use fargate_model::moment::rfc3339_seconds;
use serde_json::Value;

use super::layer_rules::LayerRules;

/// Members of the configuration, and of its `config`, that differ from build to build and mean nothing to
/// whoever runs the image.
const INVENTED: &[&str] = &["container", "container_config", "docker_version"];
const INVENTED_WITHIN: &[&str] = &["Hostname", "Domainname", "Image"];

/// The new configuration; an error in words for people.
pub(crate) fn normalised_config(
    bytes: &[u8],
    diff_ids: &[String],
    rules: &LayerRules,
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
    let seconds = u64::try_from(rules.latest_time).unwrap_or(0);
    let latest = rfc3339_seconds(seconds.saturating_mul(1000));
    clamp(members.get_mut("created"), &latest);
    for step in members.get_mut("history").and_then(Value::as_array_mut).into_iter().flatten() {
        clamp(step.get_mut("created"), &latest);
    }
    if let Some(base) = rules.squash_above {
        note_merged(members.get_mut("history"), base, diff_ids.len());
    }
    members
        .insert("rootfs".to_owned(), serde_json::json!({ "type": "layers", "diff_ids": diff_ids }));
    serde_json::to_vec(&config).map_err(|_| unreadable())
}

/// Each layer has one step of the history. Of the steps whose layers were merged, the last one keeps it.
fn note_merged(history: Option<&mut Value>, base: usize, layers: usize) {
    let steps = history.and_then(Value::as_array_mut).into_iter().flatten();
    let with_layer = steps.filter(|step| step["empty_layer"] != true);
    let mut own: Vec<&mut Value> = with_layer.skip(base).collect();
    let merged = (base + own.len()).saturating_sub(layers);
    for step in own.iter_mut().take(merged) {
        if let Some(members) = step.as_object_mut() {
            members.insert("empty_layer".to_owned(), Value::Bool(true));
        }
    }
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
    use fargate_config::ReproducibleBuild;

    use super::*;
    use crate::layer::LayerFormat;

    fn rules(squash_above: Option<usize>) -> LayerRules {
        LayerRules {
            latest_time: 1_000_000_000,
            reproducible: ReproducibleBuild::Times,
            format: LayerFormat::Gzip { level: 1 },
            squash_above,
        }
    }

    #[test]
    fn two_builds_of_one_content_have_one_configuration() {
        let build = |at: &str, container: &str| {
            let text = format!(
                r#"{{"created":"{at}","container":"{container}","architecture":"amd64","os":"linux",
                "config":{{"Cmd":["sh"],"Image":"sha256:{container}","Hostname":"{container}"}},
                "history":[{{"created":"1999-01-01T00:00:00Z"}},{{"created":"{at}"}}],
                "rootfs":{{"type":"layers","diff_ids":["sha256:{container}"]}}}}"#
            );
            normalised_config(text.as_bytes(), &["sha256:a".to_owned()], &rules(None)).unwrap()
        };
        let first = build("2026-01-01T10:00:00.123Z", "1");
        assert_eq!(first, build("2026-02-02T20:00:00.456Z", "2"));
        let read: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(read["created"], "2001-09-09T01:46:40Z");
        assert_eq!(read["history"][0]["created"], "1999-01-01T00:00:00Z");
        assert_eq!(read["config"], serde_json::json!({ "Cmd": ["sh"] }));
        assert!(normalised_config(b"[]", &[], &rules(None)).is_err());
    }

    #[test]
    fn of_the_steps_whose_layers_were_merged_the_last_one_keeps_a_layer() {
        let config = r#"{"history":[{"created_by":"base"},{"created_by":"ENV","empty_layer":true},
            {"created_by":"one"},{"created_by":"LABEL","empty_layer":true},{"created_by":"two"},
            {"created_by":"three"}]}"#;
        let diff_ids = ["sha256:a".to_owned(), "sha256:b".to_owned()];
        let made = normalised_config(config.as_bytes(), &diff_ids, &rules(Some(1))).unwrap();
        let read: Value = serde_json::from_slice(&made).unwrap();
        let steps = read["history"].as_array().unwrap().iter();
        let with_layer: Vec<_> = steps
            .filter(|step| step["empty_layer"] != true)
            .map(|step| step["created_by"].as_str().unwrap())
            .collect();
        assert_eq!(with_layer, ["base", "three"]);
        assert_eq!(read["history"].as_array().unwrap().len(), 6);
    }
}
