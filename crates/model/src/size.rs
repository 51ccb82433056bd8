//! The CPU and memory sizes that Fargate offers.
//!
//! It does not know which Region offers which size already.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text;
/// CPU units that Fargate accepts; 1024 units are one vCPU.
///
/// Source: Amazon ECS Developer Guide, "Task CPU and memory", and Amazon ECS API Reference,
/// `RegisterTaskDefinition`.
pub const CPU_UNITS: [u32; 8] = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

/// Memory sizes in MiB that fit `cpu_units`, or `None` if Fargate has no such CPU value.
///
/// Source: Amazon ECS Developer Guide, "Task CPU and memory". The 32 vCPU row is not offered in
/// every Region yet.
#[must_use]
pub fn allowed_memory_mib(cpu_units: u32) -> Option<Vec<u32>> {
    let range = |from: u32, to: u32, step: usize| Some((from..=to).step_by(step).collect());
    match cpu_units {
        256 => Some(vec![512, 1024, 2048]),
        512 => range(1024, 4096, 1024),
        1024 => range(2048, 8192, 1024),
        2048 => range(4096, 16384, 1024),
        4096 => range(8192, 30720, 1024),
        8192 => range(16384, 61440, 4096),
        16384 => range(32768, 122_880, 8192),
        32768 => Some(vec![61440, 122_880, 249_856]),
        _ => None,
    }
}

/// A CPU and memory pair that Fargate offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateSize {
    /// CPU units; 1024 are one vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
}

impl FargateSize {
    /// The size as a filter in a URL names it, where a comma would begin the next one: `1 vCPU 2 GB`.
    #[must_use]
    pub fn filter_name(&self) -> String {
        format!("{} {}", text::vcpu(self.cpu_units), text::memory(self.memory_mib))
    }
}

impl fmt::Display for FargateSize {
    /// As people read it: `1 vCPU, 2 GB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", text::vcpu(self.cpu_units), text::memory(self.memory_mib))
    }
}

/// CPU units of a task of which neither CPU nor memory is named: one vCPU.
const DEFAULT_CPU_UNITS: u32 = 1024;

/// A pair that Fargate does not offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// The table has no row with this CPU value.
    #[error("cpu {cpu_units} is not a Fargate size; allowed: {}", list(&CPU_UNITS))]
    Cpu {
        /// The CPU units that were given.
        cpu_units: u32,
    },
    /// The CPU value exists, but not with this memory.
    #[error("memory {memory_mib} does not fit cpu {cpu_units}; allowed: {}", list(allowed))]
    Memory {
        /// The CPU units that were given.
        cpu_units: u32,
        /// The memory that was given, in MiB.
        memory_mib: u32,
        /// The memory sizes that fit this CPU value, in MiB.
        allowed: Vec<u32>,
    },
}

impl SizeError {
    /// The nearest size that Fargate offers and that is not smaller. If there is none, the largest.
    #[must_use]
    pub fn nearest(&self) -> FargateSize {
        let (cpu, memory) = match *self {
            Self::Cpu { cpu_units } => (cpu_units, 0),
            Self::Memory { cpu_units, memory_mib, .. } => (cpu_units, memory_mib),
        };
        let cpu_units = first_not_below(&CPU_UNITS, cpu);
        let rows = allowed_memory_mib(cpu_units).unwrap_or_default();
        FargateSize { cpu_units, memory_mib: first_not_below(&rows, memory) }
    }
}

impl FargateSize {
    /// Checks that Fargate offers this pair.
    ///
    /// # Errors
    ///
    /// Returns [`SizeError`] with the allowed values if it does not.
    pub fn check(cpu_units: u32, memory_mib: u32) -> Result<Self, SizeError> {
        let allowed = allowed_memory_mib(cpu_units).ok_or(SizeError::Cpu { cpu_units })?;
        if allowed.contains(&memory_mib) {
            Ok(Self { cpu_units, memory_mib })
        } else {
            Err(SizeError::Memory { cpu_units, memory_mib, allowed })
        }
    }
}

impl FargateSize {
    /// The size of which a part is named: what is not named is the least that fits. A pair that is named
    /// whole is not checked.
    #[must_use]
    pub fn least(cpu_units: Option<u32>, memory_mib: Option<u32>) -> Self {
        let (cpu_units, memory_mib) = match (cpu_units, memory_mib) {
            (Some(cpu), Some(memory)) => (cpu, memory),
            (None, Some(memory)) => (least_cpu(memory).unwrap_or(DEFAULT_CPU_UNITS), memory),
            (cpu, None) => {
                let cpu = cpu.unwrap_or(DEFAULT_CPU_UNITS);
                (cpu, least_memory(cpu).unwrap_or_default())
            }
        };
        Self { cpu_units, memory_mib }
    }
}

/// The least memory in MiB that fits `cpu_units`; `None` if Fargate has no such CPU value.
#[must_use]
pub fn least_memory(cpu_units: u32) -> Option<u32> {
    allowed_memory_mib(cpu_units)?.first().copied()
}

/// The least CPU units that this memory fits; `None` if Fargate offers it with none.
#[must_use]
pub fn least_cpu(memory_mib: u32) -> Option<u32> {
    let offers = |cpu: &u32| allowed_memory_mib(*cpu).is_some_and(|row| row.contains(&memory_mib));
    CPU_UNITS.into_iter().find(offers)
}

/// CPU units as ECS reads them in a text: a whole number, or vCPUs such as `2 vCPU` and `.5 vcpu`.
///
/// Source: Amazon ECS API Reference, `TaskOverride` and `RegisterTaskDefinition`.
#[must_use]
pub fn cpu_units_of(text: &str) -> Option<u32> {
    in_units(text, "vcpu")
}

/// MiB of memory as ECS reads them in a text: a whole number, or GB such as `4 GB` and `0.5GB`.
///
/// Source: as for [`cpu_units_of`].
#[must_use]
pub fn memory_mib_of(text: &str) -> Option<u32> {
    in_units(text, "gb")
}

/// Reads a whole number, or a decimal number of `unit`, of which each is 1024.
fn in_units(text: &str, unit: &str) -> Option<u32> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return if digits(&text) { text.parse().ok() } else { None };
    };
    let number = number.trim();
    if number.is_empty() {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if (!whole.is_empty() && !digits(whole)) || !digits(fraction) || fraction.len() > 4 {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_u32.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u32>().ok()?.checked_mul(1024)?;
    (part.is_multiple_of(scale)).then(|| whole.checked_mul(1024)?.checked_add(part / scale))?
}

fn first_not_below(sorted: &[u32], wanted: u32) -> u32 {
    sorted.iter().copied().find(|&x| x >= wanted).or(sorted.last().copied()).unwrap_or(wanted)
}

fn list(values: &[u32]) -> String {
    values.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_77_pairs() {
        let pairs: usize =
            CPU_UNITS.iter().map(|&cpu| allowed_memory_mib(cpu).expect("a row").len()).sum();
        assert_eq!(pairs, 74 + 3, "74 probed pairs and the three of 32 vCPU");
    }

    #[test]
    fn a_pair_outside_the_table_names_what_is_allowed_and_the_nearest() {
        let error = FargateSize::check(1024, 3000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "memory 3000 does not fit cpu 1024; allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192"
        );
        assert_eq!(error.nearest(), FargateSize { cpu_units: 1024, memory_mib: 3072 });
        assert_eq!(
            FargateSize::check(1000, 1).unwrap_err().nearest(),
            FargateSize { cpu_units: 1024, memory_mib: 2048 }
        );
        assert_eq!(
            FargateSize::check(99999, 1).unwrap_err().nearest(),
            FargateSize { cpu_units: 32768, memory_mib: 61440 }
        );
    }

    #[test]
    fn a_size_that_is_named_in_part_is_the_least_that_fits() {
        let least = |cpu, memory| {
            let size = FargateSize::least(cpu, memory);
            (size.cpu_units, size.memory_mib)
        };
        assert_eq!(least(None, None), (1024, 2048));
        assert_eq!(least(Some(4096), None), (4096, 8192));
        assert_eq!(least(None, Some(512)), (256, 512));
        assert_eq!(least(None, Some(249_856)), (32768, 249_856));
        assert_eq!(least(Some(512), Some(4096)), (512, 4096));
    }

    #[test]
    fn sizes_are_read_in_units_and_in_words() {
        for (text, expected) in [
            ("256", Some(256)),
            ("1 vCPU", Some(1024)),
            (".25 vcpu", Some(256)),
            ("0.5 vCPU", Some(512)),
            ("0.3 vCPU", None),
            ("vCPU", None),
            ("+256", None),
            ("99999999999", None),
            ("9999999 vCPU", None),
        ] {
            assert_eq!(cpu_units_of(text), expected, "{text}");
        }
        for (text, expected) in [
            ("4096", Some(4096)),
            ("2GB", Some(2048)),
            ("0.5 gb", Some(512)),
            ("-1", None),
            ("1e3", None),
            ("4 GiB", None),
            ("", None),
        ] {
            assert_eq!(memory_mib_of(text), expected, "{text}");
        }
    }
}
