//! What jobs cost, as an estimate.

use fargate_history::{CostDaySum, CostStatistics, CostSum, UnpricedJobs};
use fargate_model::text::{self, rough_money};
use fargate_status_answers::{CostAnswer, CostDay, CostGroup, CostWaste, UnpricedCost};

use super::words;
use crate::job_query::JobQuery;

/// Prices that are older should be looked at. Source: the words of the page.
const OLD_PRICES_DAYS: u64 = 90;

/// What the answer is made of.
#[derive(Debug)]
pub struct CostParts {
    /// What was asked.
    pub query: JobQuery,
    /// `project`, `size` or `image`.
    pub by: String,
    /// The window.
    pub window: CostStatistics,
    /// The window of the same length before it.
    pub before: CostStatistics,
    /// Since 00:00 UTC.
    pub today: CostSum,
    /// Since the first of the month, UTC.
    pub month: CostSum,
    /// The day of the prices.
    pub price_date: String,
    /// Their age.
    pub price_age_days: u64,
    /// Their Region.
    pub price_region: String,
    /// Jobs of the window without a cost.
    pub unpriced: Vec<UnpricedJobs>,
    /// Whether images come through a NAT gateway.
    pub image_through_nat: bool,
}

/// Assembles the answer.
#[must_use]
pub fn cost_answer(parts: CostParts) -> CostAnswer {
    let CostParts { query, window, before, today, month, .. } = parts;
    let no_work = month.start_micro_usd + month.idle_micro_usd + month.failed_micro_usd;
    let mut notices = query.notices;
    if parts.price_age_days > OLD_PRICES_DAYS {
        notices.push(format!(
            "Prices are {} days old. Check `prices` in the configuration.",
            parts.price_age_days
        ));
    }
    let (today, month) = (today.cost_micro_usd, month.cost_micro_usd);
    let answer = match month {
        0 => "No task has been billed yet.".to_owned(),
        _ => format!(
            "Today about {}, this month about {}. About {} of this month bought no work.",
            rough_money(today),
            rough_money(month),
            rough_money(no_work)
        ),
    };
    let groups = window.groups.iter().map(|group| {
        let same = before.groups.iter().find(|it| it.name == group.name);
        let sum = &group.sum;
        CostGroup {
            name: group.name.clone().unwrap_or_else(|| "not known".to_owned()),
            jobs: sum.jobs,
            cost_micro_usd: sum.cost_micro_usd,
            start_micro_usd: sum.start_micro_usd,
            idle_micro_usd: sum.idle_micro_usd,
            failed_micro_usd: sum.failed_micro_usd,
            spot_share: sum.spot_share(),
            before_micro_usd: same.map(|same| same.sum.cost_micro_usd),
        }
    });
    CostAnswer {
        answer: words::answer(&answer),
        today_micro_usd: today,
        month_micro_usd: month,
        no_work_micro_usd: no_work,
        price_date: parts.price_date,
        price_age_days: parts.price_age_days,
        price_region: parts.price_region,
        left_out: left_out(parts.image_through_nat),
        unpriced_jobs: window.total.unpriced_jobs,
        unpriced: parts.unpriced.into_iter().map(unpriced).collect(),
        nat_micro_usd: parts.image_through_nat.then_some(window.total.nat_micro_usd),
        from_ms: query.from_ms,
        to_ms: query.to_ms,
        by: parts.by,
        groups: groups.collect(),
        days: window.days.iter().map(day).collect(),
        waste: waste(&window.total),
        notices,
    }
}

/// What no sum holds.
fn left_out(image_through_nat: bool) -> Vec<String> {
    let images = "images through a NAT gateway";
    let rest = ["NAT gateway hours", "EFS", "other data transfer", "public addresses", "logs"];
    let images = (!image_through_nat).then_some(images);
    images.into_iter().chain(rest).map(str::to_owned).collect()
}

fn unpriced(jobs: UnpricedJobs) -> UnpricedCost {
    let key = jobs.missing_price.map(|key| format!("prices.{key}"));
    UnpricedCost { key, jobs: jobs.jobs, newest: jobs.newest }
}

fn day(day: &CostDaySum) -> CostDay {
    let sum = &day.sum;
    let other = sum.start_micro_usd + sum.idle_micro_usd + sum.failed_micro_usd + sum.nat_micro_usd;
    CostDay {
        at_ms: day.at_ms,
        script_micro_usd: sum.cost_micro_usd.saturating_sub(other),
        // An image is pulled for the start.
        start_micro_usd: sum.start_micro_usd + sum.nat_micro_usd,
        idle_micro_usd: sum.idle_micro_usd,
        failed_micro_usd: sum.failed_micro_usd,
    }
}

/// What bought no work, largest first.
fn waste(total: &CostSum) -> Vec<CostWaste> {
    let part = |micro_usd: u64| match total.cost_micro_usd {
        0 => 0,
        all => micro_usd * 100 / all,
    };
    let found = [
        (
            "starting",
            total.start_micro_usd,
            "Starts that led to a script. The page of start times says which phase takes longest.",
            "/start-time",
        ),
        (
            "idle",
            total.idle_micro_usd,
            "Tasks that lived on with no stage: the runner waited, or nobody cleaned up.",
            // No filter of the history finds these jobs.
            "",
        ),
        (
            "failed_starts",
            total.failed_micro_usd,
            "Starts that never reached a script.",
            "/history?verdict=system&group=cause",
        ),
        (
            "nat",
            total.nat_micro_usd,
            "Images that came through a NAT gateway: an image in ECR comes by a gateway endpoint for S3, which costs nothing.",
            "/images",
        ),
    ];
    let mut waste: Vec<CostWaste> = found
        .into_iter()
        .filter(|(_, micro_usd, ..)| *micro_usd > 0)
        .map(|(kind, micro_usd, words, link)| CostWaste {
            kind: kind.to_owned(),
            micro_usd,
            text: format!("{words} About {} % of the window.", text::count(part(micro_usd))),
            link: link.to_owned(),
        })
        .collect();
    waste.sort_by_key(|waste| std::cmp::Reverse(waste.micro_usd));
    waste
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(cost: u64, start: u64) -> CostSum {
        CostSum { jobs: 3, cost_micro_usd: cost, start_micro_usd: start, ..CostSum::default() }
    }

    #[test]
    fn each_sum_of_the_sentence_is_an_estimate_and_says_so() {
        let parts = |month| CostParts {
            query: JobQuery::parse("", 1_795_989_600_000, 1, true),
            by: "project".to_owned(),
            window: CostStatistics { total: sum(1000, 400), ..CostStatistics::default() },
            before: CostStatistics::default(),
            today: sum(18_420_000, 0),
            month,
            price_date: "2026-10-09".to_owned(),
            price_age_days: 104,
            price_region: "us-east-1".to_owned(),
            unpriced: Vec::new(),
            image_through_nat: false,
        };
        let answer = cost_answer(parts(sum(402_000_000, 61_000_000)));
        insta::assert_snapshot!(answer.answer, @"Today about $18.42, this month about $402. About $61 of this month bought no work.");
        assert_eq!(
            answer.answer.matches('$').count(),
            answer.answer.to_lowercase().matches("about").count()
        );
        assert_eq!(answer.waste.len(), 1);
        insta::assert_snapshot!(answer.notices.join("\n"), @"Prices are 104 days old. Check `prices` in the configuration.");
        let idle = CostSum { cost_micro_usd: 9, idle_micro_usd: 4, ..CostSum::default() };
        let links: Vec<_> = waste(&idle).into_iter().map(|it| (it.kind, it.link)).collect();
        assert_eq!(
            links,
            [("idle".to_owned(), String::new())],
            "a link lists what is counted, or is none"
        );
        let none = cost_answer(parts(CostSum::default()));
        assert_eq!(none.answer, "No task has been billed yet.");
    }
}
