//! Finds in ECS's words which secret of a task could not be read, and by which variable the profile gives
//! it to jobs.
//!
//! It sees the places of secrets, never a value.

use fargate_config::TaskSecret;

/// What stands before the ARN or the name of a secret.
const BEFORE: [&str; 2] = ["failed to fetch secret ", "asm fetching secret from the service for "];
/// What stands before the JSON key that a secret lacks. ECS names no secret then.
const BEFORE_KEY: &str = "did not contain json key ";
/// How a value is refused that is no JSON, where one key of it is asked for. ECS names no secret then.
const NO_JSON: [&str; 2] = [
    "from asm: service call has been retried 1 time(s): invalid character",
    "unexpected end of JSON input",
];
/// What stands before the name of a parameter.
const BEFORE_PARAMETER: [&str; 3] =
    ["invalid parameters: ", "invalid ssm parameters: ", ":parameter"];
/// Parts of the ARN of a secret. What a profile writes after it is the JSON key, the stage and the version.
const ARN_PARTS: usize = 7;

/// The facts `secret`, `secret_id`, `key` and `variable`, as far as these words and the secrets of the
/// profile tell them.
pub fn secrets_in(text: &str, secrets: &[TaskSecret]) -> Vec<(&'static str, String)> {
    let lacking = after(text, BEFORE_KEY);
    let named = BEFORE.iter().find_map(|words| after(text, words));
    // The key alone tells the secret only if one of the profile's secrets has it.
    let by_key = match &lacking {
        Some(key) => only(secrets, |own| json_key(own) == Some(key)),
        None if NO_JSON.iter().any(|words| text.contains(words)) => {
            only(secrets, |own| json_key(own).is_some())
        }
        None => None,
    };
    let id = named.or_else(|| by_key.map(|own| id_of(own).to_owned()));
    let by_id = id.as_deref().and_then(|id| only(secrets, |own| id_of(own) == id));
    let parameter = BEFORE_PARAMETER.iter().find_map(|words| after(text, words));
    let by_name = parameter.and_then(|name| only(secrets, |own| is_parameter(own, &name)));
    let variable = by_key.or(by_id).or(by_name).map(|own| own.name.clone());
    let key = lacking.or_else(|| by_key.and_then(json_key).map(str::to_owned));
    let short = id.as_deref().map(|id| id.rsplit(":secret:").next().unwrap_or(id).to_owned());
    let facts = [("secret", short), ("secret_id", id), ("key", key), ("variable", variable)];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The secret for which this holds, if it holds for one alone.
fn only(secrets: &[TaskSecret], holds: impl Fn(&TaskSecret) -> bool) -> Option<&TaskSecret> {
    let mut found = secrets.iter().filter(|own| holds(own));
    found.next().filter(|_| found.next().is_none())
}

/// What ECS calls a secret: its ARN without what a profile writes after it, or the parameter.
fn id_of(secret: &TaskSecret) -> &str {
    let from = secret.from.as_str();
    let end = from.match_indices(':').nth(ARN_PARTS - 1).map(|(at, _)| at);
    &from[..end.unwrap_or(from.len())]
}

/// Whether this is the parameter that ECS names so: by its name, or by the end of its ARN.
fn is_parameter(secret: &TaskSecret, name: &str) -> bool {
    let own = secret.from.split_once(":parameter").map_or(secret.from.as_str(), |(_, name)| name);
    own.trim_start_matches('/') == name.trim_start_matches('/')
}

fn json_key(secret: &TaskSecret) -> Option<&str> {
    secret.from.split(':').nth(ARN_PARTS).filter(|key| !key.is_empty())
}

/// The word after `words`. A JSON key may have other characters than a name; it ends at a blank.
fn after(text: &str, words: &str) -> Option<String> {
    let (_, rest) = text.split_once(words)?;
    let word = rest.split([' ', ',', '"', '\'']).next().unwrap_or_default();
    let word = word.trim_end_matches([':', '.']);
    (!word.is_empty()).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:ci/npm-a1B2c3";

    fn secret(name: &str, from: &str) -> TaskSecret {
        TaskSecret { name: name.to_owned(), from: from.to_owned(), as_file: false }
    }

    fn told(text: &str, secrets: &[TaskSecret]) -> String {
        let facts = secrets_in(text, secrets);
        facts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_secret_is_named_by_its_arn_and_by_the_variable_that_jobs_know() {
        let secrets =
            [secret("NPM_TOKEN", &format!("{ARN}:token::")), secret("OTHER", "/ci/other")];
        let denied = format!("failed to fetch secret {ARN} from secrets manager: AccessDenied");
        assert_eq!(
            told(&denied, &secrets),
            format!("secret=ci/npm-a1B2c3 secret_id={ARN} variable=NPM_TOKEN")
        );
        assert_eq!(told(&denied, &[]), format!("secret=ci/npm-a1B2c3 secret_id={ARN}"));
        assert_eq!(told("invalid parameters: /ci/other", &secrets), "variable=OTHER");
        let denied = "on resource: arn:aws:ssm:eu-west-1:1:parameter/ci/other because";
        assert_eq!(told(denied, &secrets), "variable=OTHER");
        assert_eq!(told("the moon is full", &secrets), "");
    }

    #[test]
    fn a_missing_key_names_its_secret_only_if_one_alone_has_it() {
        let said = "retrieved secret from Secrets Manager did not contain json key token";
        let one = secret("NPM_TOKEN", &format!("{ARN}:token::"));
        let named = format!("secret=ci/npm-a1B2c3 secret_id={ARN} key=token variable=NPM_TOKEN");
        assert_eq!(told(said, std::slice::from_ref(&one)), named);
        let two = [one, secret("B", "arn:aws:secretsmanager:eu-west-1:1:secret:b-a1B2c3:token::")];
        assert_eq!(told(said, &two), "key=token");
        let no_json = "retrieve secret from asm: service call has been retried 1 time(s): invalid character 'x' looking";
        assert_eq!(told(no_json, &two[..1]), named);
        assert_eq!(told(no_json, &two), "");
    }
}
