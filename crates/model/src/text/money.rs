//! Amounts of money as people and programs read them. They are in millionths of a US dollar, and rounded here and
//! nowhere before.

use super::count;

/// `$0.0016`, `$18.42`, `$4,021`.
#[must_use]
pub fn money(micro_usd: u64) -> String {
    let hundredths = (micro_usd + 5_000) / 10_000;
    match micro_usd {
        0 => "$0".to_owned(),
        1..100 => "under $0.0001".to_owned(),
        // 0.99995 is no longer below one dollar when it is rounded.
        100..999_950 => format!("$0.{:04}", (micro_usd + 50) / 100),
        999_950..999_995_000 => format!("${}.{:02}", hundredths / 100, hundredths % 100),
        _ => format!("${}", count((micro_usd + 500_000) / 1_000_000)),
    }
}

/// The same for a sentence: whole dollars from $20 on.
#[must_use]
pub fn rough_money(micro_usd: u64) -> String {
    match micro_usd {
        0..20_000_000 => money(micro_usd),
        _ => format!("${}", count((micro_usd + 500_000) / 1_000_000)),
    }
}

/// The same for a program: `18.420000`.
#[must_use]
pub fn plain_dollars(micro_usd: u64) -> String {
    format!("{}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_once_and_says_when_it_is_almost_nothing() {
        let amounts = [0, 99, 1_650, 999_949, 999_950, 18_424_999, 999_994_999, 999_995_000];
        let shown = amounts.map(money);
        let wanted =
            ["$0", "under $0.0001", "$0.0017", "$0.9999", "$1.00", "$18.42", "$999.99", "$1,000"];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_sentence_has_whole_dollars_and_a_program_gets_every_digit() {
        assert_eq!([18_420_000, 402_300_000].map(rough_money), ["$18.42", "$402"]);
        assert_eq!(plain_dollars(18_420_001), "18.420001");
    }
}
