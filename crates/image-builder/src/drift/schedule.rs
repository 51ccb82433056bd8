//! The service and the timer of systemd that check drift again and again. They are printed, not installed.

use std::fmt;
use std::path::PathBuf;

/// What the units are to run.
#[derive(Clone, Debug)]
pub struct DriftSchedule {
    /// This program.
    pub program: PathBuf,
    /// The configuration file.
    pub config: PathBuf,
    /// The images; all of them if there is none.
    pub images: Vec<String>,
    /// The file for metrics.
    pub metrics: Option<PathBuf>,
}

impl fmt::Display for DriftSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = vec![
            self.program.display().to_string(),
            "--config".to_owned(),
            self.config.display().to_string(),
            "image".to_owned(),
            "drift".to_owned(),
        ];
        words.extend(self.images.iter().cloned());
        if let Some(metrics) = &self.metrics {
            words.extend(["--metrics".to_owned(), metrics.display().to_string()]);
        }
        words.extend(["--format".to_owned(), "tsv".to_owned()]);
        let words: Vec<String> = words.iter().map(|word| unit_word(word)).collect();
        write!(
            f,
            "# /etc/systemd/system/fargate-image-drift.service\n\
             [Unit]\n\
             Description=Compare the images of CI jobs with their manifest\n\
             After=network-online.target\n\
             Wants=network-online.target\n\
             # Drift ends the service with exit code 3, so it counts as failed. Name your own alert here:\n\
             # OnFailure=\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             # The user that owns the manifest\n\
             User=gitlab-runner\n\
             ExecStart={}\n\
             TimeoutStartSec=30min\n\
             \n\
             # /etc/systemd/system/fargate-image-drift.timer\n\
             [Unit]\n\
             Description=Compare the images of CI jobs with their manifest, every day\n\
             \n\
             [Timer]\n\
             OnCalendar=daily\n\
             RandomizedDelaySec=1h\n\
             Persistent=true\n\
             \n\
             [Install]\n\
             WantedBy=timers.target",
            words.join(" ")
        )
    }
}

/// One word of `ExecStart`. Source: systemd.service(5), "Command lines".
fn unit_word(word: &str) -> String {
    let word = word.replace('%', "%%").replace('$', "$$");
    let is_plain = !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+:@%$,=".contains(&b));
    match is_plain {
        true => word,
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_systemd_would_split_or_expand_are_quoted() {
        let schedule = DriftSchedule {
            program: "/usr/local/bin/fargate-runner".into(),
            config: "/etc/my runner/config$1.toml".into(),
            images: vec!["ci".to_owned()],
            metrics: Some("/var/lib/node/100%.prom".into()),
        };
        let text = schedule.to_string();
        let start = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert_eq!(
            start,
            "ExecStart=/usr/local/bin/fargate-runner --config \"/etc/my runner/config$$1.toml\" image \
             drift ci --metrics /var/lib/node/100%%.prom --format tsv"
        );
    }
}
