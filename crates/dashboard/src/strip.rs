//! One bar for the row of a table: phases side by side, to the scale of the row's own length.
//!
//! It is for the eye only; the text beside it carries the meaning.

use maud::{Markup, html};

use crate::number_text::{length, part_of};
use crate::patterns::{fill_of, strip_owner};

/// Draws a strip. An open strip has no right edge: its last phase goes on.
pub(crate) fn phase_strip(phases: &[(String, u64)], is_open: bool) -> Markup {
    let whole: u64 = phases.iter().map(|(_, ms)| *ms).sum();
    // The last tenth stays empty while the strip is open, so that it is seen to go on.
    let scale = if is_open { 0.9 } else { 1.0 };
    let mut at = 0.0;
    let bars: Vec<_> = phases
        .iter()
        .filter(|(_, ms)| *ms > 0)
        .map(|(phase, ms)| {
            let width = part_of(*ms, whole) * scale;
            let bar = (phase.as_str(), at, width);
            at += width;
            bar
        })
        .collect();
    html! {
        svg.strip width="100%" height="12" aria-hidden="true" focusable="false" {
            @for (phase, x, width) in &bars {
                rect.(strip_owner(phase)) x=(length(*x)) y="0.5" width=(length(*width)) height="11"
                    fill=(fill_of(phase)) {}
            }
            @for (_, x, _) in bars.iter().skip(1) {
                rect.divider x=(length(*x)) y="0" width="1" height="12" {}
            }
        }
    }
}

/// The last hour in 12 columns of 5 minutes.
pub(crate) fn sparkline(counts: &[u64]) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    html! {
        svg.sparkline width="72" height="18" aria-hidden="true" focusable="false" {
            line.axis x1="0" y1="17.5" x2="72" y2="17.5" {}
            @for (at, n) in counts.iter().take(12).enumerate() {
                @if *n > 0 {
                    rect x=(at * 6) y=(17 - (n * 15).div_ceil(most)) width="4"
                        height=((n * 15).div_ceil(most)) {}
                }
            }
        }
    }
}

/// The words beside a sparkline: `9 in the last hour, rising`.
pub(crate) fn trend_text(counts: &[u64]) -> String {
    let all: u64 = counts.iter().sum();
    let half = counts.len().saturating_sub(6);
    let before: u64 = counts[..half].iter().sum();
    let after: u64 = counts[half..].iter().sum();
    let is_rising = after >= 3 && after * 2 > before * 3;
    format!("{all} in the last hour{}", if is_rising { ", rising" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_rises_from_three_jobs_and_half_as_many_again() {
        assert_eq!(trend_text(&[0; 12]), "0 in the last hour");
        assert_eq!(trend_text(&[0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 2]), "5 in the last hour");
        assert_eq!(trend_text(&[0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 1, 2]), "6 in the last hour, rising");
        assert_eq!(trend_text(&[1, 1]), "2 in the last hour");
    }
}
