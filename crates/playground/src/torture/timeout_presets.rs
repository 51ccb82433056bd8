//! Windows and deadlines of the product, scaled down, as tables of its configuration file: a torture
//! does not wait for minutes.

use std::fmt;

use super::network::NetworkHarm;

/// Those that end what nobody talks to are long enough for a machine that stands still for seconds.
const USUAL: [(&str, &str); 9] = [
    ("ecs_poll_min", "\"20ms\""),
    ("ecs_poll_max", "\"300ms\""),
    ("client_gone", "\"4s\""),
    ("task_idle", "\"8s\""),
    ("cancel_grace", "\"1s\""),
    ("next_stage_grace", "\"500ms\""),
    ("task_visibility", "\"3s\""),
    ("stop_reason", "\"10s\""),
    ("connect_attempt", "\"300ms\""),
];
/// A cut is noticed soon, and waited out for longer than a busy machine needs.
const PATIENT: [(&str, &str); 6] = [
    ("keepalive_interval", "\"1s\""),
    ("ssh_handshake", "\"3s\""),
    ("ssh_authentication", "\"3s\""),
    ("session_open", "\"3s\""),
    ("client_gone", "\"10s\""),
    ("task_idle", "\"12s\""),
];
/// A login may take seconds: on a busy machine it does, byte by byte.
const SLOW: [(&str, &str); 2] = [("client_gone", "\"20s\""), ("task_idle", "\"20s\"")];
/// A cut is noticed soon, and given up soon.
const SHORT: [(&str, &str); 4] = [
    ("keepalive_interval", "\"1s\""),
    ("ssh_handshake", "\"1s\""),
    ("client_gone", "\"2s\""),
    ("reconnect", "\"700ms\""),
];

/// One of the configurations of a torture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPreset {
    /// Where the network holds.
    Usual,
    /// Where it breaks and that must cost nothing.
    Patient,
    /// Where it stays broken.
    Short,
    /// Where it is slow.
    Slow,
}

impl TimeoutPreset {
    /// Those of a job with such a network.
    #[must_use]
    pub fn of(network: &NetworkHarm) -> Self {
        match network {
            NetworkHarm::Plain | NetworkHarm::SlowReader => Self::Usual,
            NetworkHarm::Pieces(_) => Self::Slow,
            NetworkHarm::Gone(_) | NetworkHarm::Replaced(..) => Self::Short,
            _ => Self::Patient,
        }
    }

    /// What it says under `[defaults.ssh]`: where a cut is noticed soon, fewer probes go unanswered.
    #[must_use]
    pub fn ssh_lines(self) -> &'static str {
        match self {
            Self::Patient | Self::Short => "keepalive_tries = 2\n",
            Self::Usual | Self::Slow => "",
        }
    }

    fn changes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Usual => &[],
            Self::Patient => &PATIENT,
            Self::Short => &SHORT,
            Self::Slow => &SLOW,
        }
    }
}

impl fmt::Display for TimeoutPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n[defaults.timeouts]\n")?;
        let changes = self.changes();
        let kept =
            USUAL.iter().filter(|(key, _)| !changes.iter().any(|(changed, _)| changed == key));
        for (key, value) in kept.chain(changes) {
            writeln!(f, "{key} = {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::relay::RelayBehaviour;

    #[test]
    fn what_must_be_ridden_out_has_the_time_for_it() {
        let down = NetworkHarm::Down(RelayBehaviour::Refusing, Duration::from_secs(1));
        assert_eq!(TimeoutPreset::of(&down), TimeoutPreset::Patient);
        assert_eq!(
            TimeoutPreset::of(&NetworkHarm::Gone(RelayBehaviour::Refusing)),
            TimeoutPreset::Short
        );
        // Byte by byte a login took longer than the two seconds that others have (seed 8, job 25).
        assert_eq!(TimeoutPreset::of(&NetworkHarm::Pieces(1)), TimeoutPreset::Slow);
        assert!(!TimeoutPreset::Slow.to_string().contains("handshake"));
    }

    #[test]
    fn each_key_stands_once_and_a_change_counts() {
        insta::assert_snapshot!(TimeoutPreset::Short, @r#"

        [defaults.timeouts]
        ecs_poll_min = "20ms"
        ecs_poll_max = "300ms"
        task_idle = "8s"
        cancel_grace = "1s"
        next_stage_grace = "500ms"
        task_visibility = "3s"
        stop_reason = "10s"
        connect_attempt = "300ms"
        keepalive_interval = "1s"
        ssh_handshake = "1s"
        client_gone = "2s"
        reconnect = "700ms"
        "#);
        assert_eq!(TimeoutPreset::Short.ssh_lines(), "keepalive_tries = 2\n");
    }
}
