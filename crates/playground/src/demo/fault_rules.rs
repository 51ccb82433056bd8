//! The faults that a demo is played with: where they came from, and what they did.

use std::path::PathBuf;

use fargate_local_cloud::{FaultCount, FaultRules};
use fargate_model::text::{count, escape};

use crate::faults;

/// Rules for what goes wrong, and the name of their file.
#[derive(Clone, Debug)]
pub struct DemoFaultRules {
    /// The file, as it was given.
    pub file: String,
    /// Its rules.
    pub rules: FaultRules,
}

/// What the rules did.
#[derive(Clone, Debug)]
pub struct DemoFaultCounts {
    /// The file, as it was given.
    pub file: String,
    /// Each rule, and how often it struck.
    pub counts: Vec<(String, u64)>,
}

impl DemoFaultRules {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`faults::FaultFileError`], if the file cannot be read or holds no rules.
    pub fn read(path: PathBuf) -> Result<Self, faults::FaultFileError> {
        let rules = faults::read(&path)?;
        Ok(Self { file: escape(&path.to_string_lossy()), rules })
    }

    /// `2 fault rules of FILE`
    #[must_use]
    pub fn words(&self) -> String {
        let rules = u64::try_from(self.rules.len()).unwrap_or(u64::MAX);
        let noun = if rules == 1 { "rule" } else { "rules" };
        format!("{} fault {noun} of {}", count(rules), self.file)
    }

    /// What they did, as the cloud counted it.
    #[must_use]
    pub fn injected(&self, counts: &[FaultCount]) -> DemoFaultCounts {
        let counts = counts.iter().map(|one| (escape(&one.rule.to_string()), one.struck));
        DemoFaultCounts { file: self.file.clone(), counts: counts.collect() }
    }
}

impl DemoFaultCounts {
    /// For each rule, how often it struck and what it says.
    pub fn lines(&self) -> impl Iterator<Item = (String, &str)> {
        self.counts.iter().map(|(rule, struck)| {
            let often = match struck {
                0 => "did not strike".to_owned(),
                1 => "struck once".to_owned(),
                many => format!("struck {} times", count(*many)),
            };
            (often, rule.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_says_how_often_it_struck_and_nothing_that_moves_a_cursor() {
        let injection = DemoFaultRules {
            file: "rainy-day".to_owned(),
            rules: "any: throttle\nRunTask: hang\nStopTask: answer 200 \"\u{1b}[2J\""
                .parse()
                .expect("rules"),
        };
        assert_eq!(injection.words(), "3 fault rules of rainy-day");
        let counts = injection.rules.iter().zip([0, 1, 1204]);
        let counts: Vec<_> =
            counts.map(|(rule, struck)| FaultCount { rule: rule.clone(), struck }).collect();
        let injected = injection.injected(&counts);
        assert_eq!(
            injected.lines().collect::<Vec<_>>(),
            [
                ("did not strike".to_owned(), "any: throttle"),
                ("struck once".to_owned(), "RunTask: hang"),
                ("struck 1,204 times".to_owned(), r#"StopTask: answer 200 "\x1b[2J""#),
            ]
        );
    }
}
