//! At which state of a task, and how much later, a fault takes place.

use std::time::Duration;

use super::line_error::RuleLineError;
use super::value;
use super::words::RuleWords;
use crate::fault::CloudTaskPhase;

/// Where and when a fault of a task takes place.
pub(super) type FaultTiming = (CloudTaskPhase, Duration);

/// `PHASE`, `PHASE + DURATION`, after the word `at`.
pub(super) fn turn(words: &mut RuleWords<'_>) -> Result<FaultTiming, RuleLineError> {
    let given = words.take();
    let phase = [CloudTaskPhase::Provisioning, CloudTaskPhase::Pending, CloudTaskPhase::Running]
        .into_iter()
        .find(|phase| phase.word().eq_ignore_ascii_case(given))
        .ok_or_else(|| value::expected("at", "PROVISIONING, PENDING or RUNNING", given))?;
    if !words.take_if("+") {
        return Ok((phase, Duration::ZERO));
    }
    Ok((phase, value::duration("+", words.take())?))
}
