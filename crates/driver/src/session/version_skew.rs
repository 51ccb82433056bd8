//! How much older than this driver the agent of a task is. Two versions compare their own days, so
//! no clock matters.
//!
//! No agent is refused for its age: what both can do was agreed in the hello.

use fargate_protocol::{CalendarDay, FEATURES, HOST_PROOF, KEEP, RESUME, SECRET_FILES, TERMINAL};
use fargate_state::version;

/// How many months older than the driver an agent may be. Older ones still work with what both have
/// in common, and the log names them.
///
/// The number is ours: long enough for somebody who rebuilds images once a year.
pub const SUPPORTED_MONTHS: u32 = 12;
/// The day of the first version whose agents tell their day.
const FIRST_TOLD: &str = "2026-11-21";

/// What an agent said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentInfo {
    /// Name and version, with control characters escaped.
    pub name: String,
    /// The day of its version. `None` if it is older than such days, or sent no valid one.
    pub day: Option<CalendarDay>,
    /// What it can do beyond its version.
    pub features: Vec<String>,
}

impl AgentInfo {
    /// Whether it has this feature.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    /// Its day. For an agent that tells none, the day before which all such versions were made.
    fn at_the_latest(&self) -> CalendarDay {
        self.day.unwrap_or_else(|| CalendarDay::parse(FIRST_TOLD).expect("a test reads it"))
    }

    /// Whether it is newer than a driver of this day.
    #[must_use]
    pub fn is_ahead(&self, driver: CalendarDay) -> bool {
        self.day.is_some_and(|day| day > driver)
    }

    /// What it lacks of what this driver could use, for people.
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        FEATURES
            .iter()
            .filter(|feature| !self.has(feature))
            .map(|&feature| words(feature))
            .collect()
    }

    /// The sentence that names an agent that is older than this driver supports, with the next
    /// step.
    #[must_use]
    pub fn too_old(&self) -> Option<String> {
        let driver = version::this();
        self.too_old_for(&driver.version, driver.day)
    }

    fn too_old_for(&self, version: &str, driver: CalendarDay) -> Option<String> {
        if !driver.is_beyond(SUPPORTED_MONTHS, self.at_the_latest()) {
            return None;
        }
        let who = match self.day {
            Some(day) => format!("{} of {day}", self.name),
            None => format!("{}, which tells no date,", self.name),
        };
        let lacks = self.lacks();
        let lacks = match lacks.is_empty() {
            true => String::new(),
            false => format!(" It lacks: {}.", lacks.join(", ")),
        };
        Some(format!(
            "{who} is more than {SUPPORTED_MONTHS} months older than this driver.{lacks} \
             Rebuild the image with fargate-agent {version}"
        ))
    }
}

fn words(feature: &str) -> &'static str {
    match feature {
        RESUME => "resuming after a cut",
        HOST_PROOF => "proving its host key by the task's role",
        SECRET_FILES => "secrets as files",
        TERMINAL => "terminals for `jobs shell`",
        KEEP => "keeping the task of a failed job",
        _ => "a feature of this version",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(day: Option<&str>, features: &[&str]) -> AgentInfo {
        AgentInfo {
            name: "fargate-agent 0.1.0".to_owned(),
            day: day.map(|day| CalendarDay::parse(day).unwrap()),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        }
    }

    fn told(agent: &AgentInfo, driver: &str) -> Option<String> {
        agent.too_old_for("0.9.0", CalendarDay::parse(driver).unwrap())
    }

    #[test]
    fn an_agent_of_more_than_twelve_months_is_named_with_what_it_lacks_and_the_next_step() {
        let whole = agent(Some("2026-11-21"), FEATURES);
        assert_eq!(told(&whole, "2027-11-21"), None);
        insta::assert_snapshot!(told(&whole, "2027-11-22").unwrap(), @"fargate-agent 0.1.0 of 2026-11-21 is more than 12 months older than this driver. Rebuild the image with fargate-agent 0.9.0");
        let less = agent(Some("2026-11-21"), &["of-yesterday"]);
        insta::assert_snapshot!(told(&less, "2028-03-22").unwrap(), @"fargate-agent 0.1.0 of 2026-11-21 is more than 12 months older than this driver. It lacks: resuming after a cut, proving its host key by the task's role, terminals for `jobs shell`, secrets as files, keeping the task of a failed job. Rebuild the image with fargate-agent 0.9.0");
    }

    #[test]
    fn an_agent_without_a_day_is_as_old_as_the_last_that_told_none() {
        let silent = agent(None, &[]);
        assert_eq!(told(&silent, FIRST_TOLD), None);
        insta::assert_snapshot!(told(&silent, "2028-01-01").unwrap(), @"fargate-agent 0.1.0, which tells no date, is more than 12 months older than this driver. It lacks: resuming after a cut, proving its host key by the task's role, terminals for `jobs shell`, secrets as files, keeping the task of a failed job. Rebuild the image with fargate-agent 0.9.0");
    }

    #[test]
    fn an_agent_of_the_future_is_nothing_to_complain_of() {
        let future = agent(
            Some("2031-01-01"),
            &[RESUME, HOST_PROOF, SECRET_FILES, TERMINAL, KEEP, "of-tomorrow"],
        );
        assert_eq!(told(&future, "2026-11-21"), None);
        assert!(future.is_ahead(CalendarDay::parse("2026-11-21").unwrap()));
        assert_eq!(future.lacks(), Vec::<&str>::new());
    }
}
