//! Values as people store them: of many lines, empty, large, with bytes that a shell or a terminal reads as
//! its own.

use fargate_tests::CheckedHost;
use toml::{Table, Value};

use crate::{hash, host_with, job_with_keys};

fn secret(name: &str, from: &str, as_file: bool) -> Value {
    Value::Table(Table::from_iter([
        ("name".to_owned(), Value::from(name)),
        ("from".to_owned(), Value::from(from)),
        ("as_file".to_owned(), Value::from(as_file)),
    ]))
}

/// The hashes that a job sees of this value, as a variable and as a file.
async fn seen(host: &CheckedHost, value: &str) -> String {
    let arn = host.cloud().put_secret("ci/odd", value).expect("a secret");
    let secrets = vec![secret("AS_VARIABLE", &arn, false), secret("AS_FILE", &arn, true)];
    host.set("profile.keys.secrets", Value::from(secrets));
    let job = job_with_keys(host);
    job.prepare().await.passed();
    let script = "printenv -0 AS_VARIABLE | tr -d '\\0' | sha256sum | cut -d' ' -f1\n\
                  sha256sum < \"$AS_FILE\" | cut -d' ' -f1";
    let said = job.run(script).await.with_code(0).out();
    job.cleanup().await.passed();
    said
}

#[tokio::test]
async fn a_value_arrives_byte_by_byte() {
    let host = host_with(None).await;
    let large = "0123456789abcdef".repeat(4096);
    let values = [
        "one\ntwo\n\n",
        "tab\tcarriage\r\nescape\u{1b}[2Jbell\u{7}",
        "$(touch /tmp/no) `id` \"'\\ $HOME %s",
        "=leading=equals",
        "umlauts äöü and \u{1f511}",
        " ",
        &large[..65_536],
    ];
    for value in values {
        let expected = format!("{0}\n{0}\n", hash(value));
        assert_eq!(seen(&host, value).await, expected, "{:?}", &value[..value.len().min(30)]);
    }
    host.close().await;
}
