//! The size that a job asks for by its variables, within what its profile allows.
//!
//! The values come from whoever wrote the pipeline. A value that is not allowed changes nothing. What
//! becomes of such a job is not decided here.

use std::ffi::{OsStr, OsString};

use fargate_model::size::{
    CPU_UNITS, FargateSize, allowed_memory_mib, cpu_units_of, least_cpu, least_memory,
    memory_mib_of,
};

use crate::job_choice::{IgnoredChoice, IgnoredReason};
use crate::settings::{MAX_DISK_GIB, MIN_DISK_GIB};
use crate::{DefinitionSource, JobProfile};

/// Disk in GiB that a task has without asking. Source: Amazon ECS Developer Guide, "Fargate task
/// ephemeral storage".
const USUAL_DISK_GIB: u32 = 20;

const CPU: &str = "FARGATE_CPU";
const MEMORY: &str = "FARGATE_MEMORY";
const DISK: &str = "FARGATE_EPHEMERAL_STORAGE";

/// What a job chose of the size of its task. `None` leaves it to the profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobSize {
    /// CPU units.
    pub cpu_units: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Disk in GiB.
    pub ephemeral_storage_gib: Option<u32>,
}

/// CPU or memory as the profile has it, and the most that a job may ask for.
#[derive(Clone, Copy)]
struct SizeLimit {
    variable: &'static str,
    /// The key of the limit, as the file spells it.
    key: &'static str,
    /// `None` if only the task definition knows it.
    own: Option<u32>,
    max: Option<u32>,
}

impl SizeLimit {
    fn allows(&self, value: u32) -> bool {
        [self.own, self.max].into_iter().flatten().any(|most| value <= most)
    }

    /// What the job asks for, if that is something new and allowed.
    fn asked(
        &self,
        given: Option<OsString>,
        read: impl Fn(&str) -> Option<u32>,
        expected: impl Fn(Option<u32>) -> Option<String>,
    ) -> Result<Option<u32>, IgnoredChoice> {
        let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
        let value = given.to_str().and_then(read);
        if value.is_some() && value == self.own {
            return Ok(value);
        }
        let ignored = |reason| Err(IgnoredChoice::of(self.variable, &given, reason));
        let Some(max) = self.max else { return ignored(IgnoredReason::NoneAllowed(self.key)) };
        if let Some(expected) = expected(value) {
            return ignored(IgnoredReason::NoSize(expected));
        }
        let value = value.filter(|value| *value <= max);
        match value {
            Some(value) => Ok(Some(value)),
            None => ignored(IgnoredReason::AboveLimit(self.key, max)),
        }
    }
}

/// Why a CPU value is none of Fargate's.
fn cpu_expected(value: Option<u32>) -> Option<String> {
    (!value.is_some_and(|units| CPU_UNITS.contains(&units))).then(|| {
        let units: Vec<String> = CPU_UNITS.iter().map(u32::to_string).collect();
        format!("allowed are the CPU units {}, or vCPUs such as `2 vCPU`", units.join(", "))
    })
}

/// Why an amount of memory is none of Fargate's.
fn memory_expected(value: Option<u32>) -> Option<String> {
    let is_offered = value.is_some_and(|mib| least_cpu(mib).is_some());
    (!is_offered).then(|| {
        let rows = CPU_UNITS.iter().filter_map(|&cpu| allowed_memory_mib(cpu)).flatten();
        let near = value.and_then(|value| rows.filter(|mib| *mib >= value).min());
        let near = near.map(|mib| format!(", nearest is `{mib}`")).unwrap_or_default();
        format!("expected is an amount that Fargate offers, in MiB or such as `4 GB`{near}")
    })
}

fn disk_expected(value: Option<u32>) -> Option<String> {
    (!value.is_some_and(|gib| (MIN_DISK_GIB..=MAX_DISK_GIB).contains(&gib)))
        .then(|| format!("expected is a number of GiB from {MIN_DISK_GIB} to {MAX_DISK_GIB}"))
}

fn disk_gib_of(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The two values of a task that fit each other, or why there are none. What the job did not ask for
/// stays the profile's if it fits. Else it is the least that fits, within the limit.
fn pair(
    asked: (Option<u32>, Option<u32>),
    cpu: &SizeLimit,
    memory: &SizeLimit,
    given: &OsStr,
) -> Result<(Option<u32>, Option<u32>), IgnoredChoice> {
    let fits = |cpu: u32, mib: u32| FargateSize::check(cpu, mib).is_ok();
    match asked {
        (None, None) => Ok((None, None)),
        (Some(units), Some(mib)) => match FargateSize::check(units, mib) {
            Ok(_) => Ok((Some(units), Some(mib))),
            Err(error) => {
                let near = error.nearest().memory_mib;
                let near = if memory.allows(near) { Some(near) } else { None };
                let near = near.map(|mib| format!(", nearest is `{mib}`")).unwrap_or_default();
                let row = allowed_memory_mib(units).unwrap_or_default();
                let range = [row.first(), row.last()].map(|mib| mib.copied().unwrap_or_default());
                let [least, most] = range;
                let rule = format!("with FARGATE_CPU {units}, Fargate offers {least} to {most}");
                let reason = IgnoredReason::NoSize(format!("{rule}{near}"));
                Err(IgnoredChoice::of(MEMORY, given, reason))
            }
        },
        (Some(units), None) => {
            let own = memory.own.filter(|mib| fits(units, *mib));
            let least = own.or_else(|| least_memory(units));
            Ok((Some(units), rest(CPU, given, memory, least)?))
        }
        (None, Some(mib)) => {
            let own = cpu.own.filter(|units| fits(*units, mib));
            let least = own.or_else(|| least_cpu(mib));
            Ok((rest(MEMORY, given, cpu, least)?, Some(mib)))
        }
    }
}

/// The value that must go with what the job asked for. If neither the profile nor the limits know one, it
/// stays that of the task definition.
fn rest(
    variable: &'static str,
    given: &OsStr,
    other: &SizeLimit,
    least: Option<u32>,
) -> Result<Option<u32>, IgnoredChoice> {
    let Some(least) = least else { return Ok(None) };
    if other.own.is_none() && other.max.is_none() {
        return Ok(None);
    }
    if other.allows(least) {
        return Ok(Some(least));
    }
    let reason = IgnoredReason::NeedsMore { other: other.variable, least, key: other.key };
    Err(IgnoredChoice::of(variable, given, reason))
}

impl JobProfile {
    /// Applies the size that the job asks for. `key` gives a key as the file spells it.
    pub(crate) fn apply_job_size(
        &mut self,
        key: impl Fn(&'static str, &'static str) -> &'static str,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Vec<IgnoredChoice> {
        let mut ignored = Vec::new();
        let (own_cpu, own_memory) = self.own_size();
        let cpu = SizeLimit {
            variable: CPU,
            key: key("job_max_cpu", "JobMaxCPU"),
            own: own_cpu,
            max: self.job_max_cpu,
        };
        let memory = SizeLimit {
            variable: MEMORY,
            key: key("job_max_memory", "JobMaxMemory"),
            own: own_memory,
            max: self.job_max_memory,
        };
        let disk = SizeLimit {
            variable: DISK,
            key: key("job_max_ephemeral_storage_gib", "JobMaxEphemeralStorageGib"),
            own: match self.definition() {
                DefinitionSource::Fixed(_) => None,
                DefinitionSource::Derived(_) => {
                    Some(self.ephemeral_storage_gib.unwrap_or(USUAL_DISK_GIB))
                }
            },
            max: self.job_max_ephemeral_storage_gib,
        };
        let mut take = |asked: Result<Option<u32>, IgnoredChoice>| {
            asked.unwrap_or_else(|choice| {
                ignored.push(choice);
                None
            })
        };
        let asked = (
            take(cpu.asked(variable(CPU), cpu_units_of, cpu_expected)),
            take(memory.asked(variable(MEMORY), memory_mib_of, memory_expected)),
        );
        let gib = take(disk.asked(variable(DISK), disk_gib_of, disk_expected));
        self.job_size.ephemeral_storage_gib = gib.filter(|gib| Some(*gib) != disk.own);
        let is_new = asked.0.is_some_and(|units| Some(units) != own_cpu)
            || asked.1.is_some_and(|mib| Some(mib) != own_memory);
        if !is_new {
            return ignored;
        }
        let given = variable(if asked.1.is_some() { MEMORY } else { CPU }).unwrap_or_default();
        match pair(asked, &cpu, &memory, &given) {
            Ok((units, mib)) => {
                self.job_size.cpu_units = units;
                self.job_size.memory_mib = mib;
            }
            Err(choice) => ignored.push(choice),
        }
        ignored
    }

    /// CPU units and MiB of a task without any choice of its job, as far as the profile says them.
    fn own_size(&self) -> (Option<u32>, Option<u32>) {
        match self.definition() {
            DefinitionSource::Fixed(_) => (self.cpu_units, self.memory_mib),
            DefinitionSource::Derived(_) => {
                let size = FargateSize::least(self.cpu_units, self.memory_mib);
                (Some(size.cpu_units), Some(size.memory_mib))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigGrammar;
    use crate::job_choice::ChoiceFlags;

    const LIMITS: &str = "job_max_cpu = 4096\njob_max_memory = 16384\n\
                          job_max_ephemeral_storage_gib = 100";

    /// What becomes of the variables: the size, and the lines.
    fn asked(keys: &str, variables: &[(&str, &str)]) -> (JobSize, Vec<String>) {
        let mut profile = crate::job_choice::example_profile(keys);
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let ignored = profile.apply_job_choices(ConfigGrammar::Own, ChoiceFlags::default(), lookup);
        assert!(ignored.iter().all(IgnoredChoice::is_of_size), "{ignored:?}");
        (profile.job_size, ignored.iter().map(IgnoredChoice::to_string).collect())
    }

    fn size(cpu: u32, memory: u32) -> JobSize {
        JobSize { cpu_units: Some(cpu), memory_mib: Some(memory), ..JobSize::default() }
    }

    #[test]
    fn a_size_within_the_limits_is_taken_in_each_form_that_ecs_reads() {
        let keys = format!("image = \"ci\"\n{LIMITS}");
        for (cpu, memory) in [("2048", "8192"), ("2 vCPU", "8 GB"), ("2vcpu", "8gb")] {
            let got = asked(&keys, &[(CPU, cpu), (MEMORY, memory)]);
            assert_eq!(got, (size(2048, 8192), vec![]), "{cpu} {memory}");
        }
        let (got, lines) = asked(&keys, &[(DISK, "50")]);
        assert_eq!((got.ephemeral_storage_gib, got.cpu_units, lines), (Some(50), None, vec![]));
    }

    #[test]
    fn what_is_not_asked_for_stays_where_it_fits_and_is_else_the_least_that_fits() {
        let cases = [
            ("cpu = 1024\nmemory = 8192", (CPU, "2048"), size(2048, 8192)),
            ("cpu = 1024\nmemory = 2048", (CPU, "4096"), size(4096, 8192)),
            ("cpu = 4096\nmemory = 16384", (CPU, "1024"), size(1024, 2048)),
            ("cpu = 1024\nmemory = 2048", (MEMORY, "8192"), size(1024, 8192)),
            ("cpu = 1024\nmemory = 2048", (MEMORY, "16384"), size(2048, 16384)),
        ];
        for (own, given, expected) in cases {
            let keys = format!("image = \"ci\"\n{own}\n{LIMITS}");
            assert_eq!(asked(&keys, &[given]), (expected, vec![]), "{own} {given:?}");
        }
    }

    #[test]
    fn the_size_of_a_fixed_definition_is_its_own_unless_the_profile_says_it() {
        let fixed = "task_definition = \"ci\"";
        let only_cpu = format!("{fixed}\njob_max_cpu = 4096");
        let expected = JobSize { cpu_units: Some(4096), ..JobSize::default() };
        assert_eq!(asked(&only_cpu, &[(CPU, "4096")]), (expected, vec![]));
        let both = format!("{fixed}\n{LIMITS}");
        assert_eq!(asked(&both, &[(CPU, "4096")]), (size(4096, 8192), vec![]));
    }

    #[test]
    fn the_size_in_force_and_an_empty_value_say_nothing() {
        let keys = "image = \"ci\"\ncpu = 1024\nmemory = 2048";
        let same = [(CPU, "1 vCPU"), (MEMORY, "2048"), (DISK, "20")];
        assert_eq!(asked(keys, &same), (JobSize::default(), vec![]));
        assert_eq!(asked(keys, &[(CPU, ""), (DISK, "")]), (JobSize::default(), vec![]));
    }

    #[test]
    fn a_size_outside_the_limits_changes_nothing_and_names_the_rule() {
        let keys = format!("image = \"ci\"\n{LIMITS}");
        let none = "image = \"ci\"";
        let narrow = "image = \"ci\"\njob_max_cpu = 4096";
        let cases: [(&str, &[(&str, &str)]); 11] = [
            (none, &[(CPU, "2048")]),
            (&keys, &[(CPU, "8192")]),
            (&keys, &[(CPU, "3000")]),
            (&keys, &[(CPU, "2 GB")]),
            (&keys, &[(MEMORY, "30720")]),
            (&keys, &[(MEMORY, "4000")]),
            (&keys, &[(MEMORY, "lots\n\u{1b}[2J")]),
            (&keys, &[(CPU, "4096"), (MEMORY, "2048")]),
            (&keys, &[(DISK, "101")]),
            (&keys, &[(DISK, "21 GiB")]),
            (narrow, &[(CPU, "4096")]),
        ];
        let mut lines = String::new();
        for (keys, variables) in cases {
            let (got, said) = asked(keys, variables);
            assert_eq!(got, JobSize::default(), "{variables:?}");
            lines.push_str(&said.join("\n"));
            lines.push('\n');
        }
        insta::assert_snapshot!(lines, @r#"
        FARGATE_CPU "2048" is ignored: `job_max_cpu` in the runner's configuration lets no job choose it
        FARGATE_CPU "8192" is ignored: `job_max_cpu` in the runner's configuration allows at most 4096
        FARGATE_CPU "3000" is ignored: allowed are the CPU units 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, or vCPUs such as `2 vCPU`
        FARGATE_CPU "2 GB" is ignored: allowed are the CPU units 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, or vCPUs such as `2 vCPU`
        FARGATE_MEMORY "30720" is ignored: `job_max_memory` in the runner's configuration allows at most 16384
        FARGATE_MEMORY "4000" is ignored: expected is an amount that Fargate offers, in MiB or such as `4 GB`, nearest is `4096`
        FARGATE_MEMORY "lots\x0a\x1b[2J" is ignored: expected is an amount that Fargate offers, in MiB or such as `4 GB`
        FARGATE_MEMORY "2048" is ignored: with FARGATE_CPU 4096, Fargate offers 8192 to 30720, nearest is `8192`
        FARGATE_EPHEMERAL_STORAGE "101" is ignored: `job_max_ephemeral_storage_gib` in the runner's configuration allows at most 100
        FARGATE_EPHEMERAL_STORAGE "21 GiB" is ignored: expected is a number of GiB from 21 to 200
        FARGATE_CPU "4096" is ignored: it needs FARGATE_MEMORY 8192 or more, which `job_max_memory` in the runner's configuration does not allow
        "#);
    }
}
