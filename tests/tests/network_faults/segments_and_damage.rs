//! C9: the size of TCP segments changes nothing, and a byte that changes on the way is never shown.

use fargate_tests::{BUILD_FAILURE, FaultyRelay, RelayFault, RelayFaultKind, RelaySide};

use crate::{STARTS, address_of, lead, relayed, site, starts, written_by};

#[tokio::test]
async fn segments_of_one_byte_and_small_ones_arrive_byte_for_byte() {
    for (bytes, words) in [(1, "seq 4000 | gzip -1n"), (536, "seq 700000 | gzip -1n")] {
        let expected = written_by(words);
        let site = site().await;
        let (job, relay) = relayed(&site).await;
        relay.in_pieces_of(bytes);
        let ended = job.run(format!("{STARTS}; {words}; echo err >&2; exit 3")).await;
        let ended = ended.with_code(BUILD_FAILURE);
        assert!(ended.stdout == expected, "{bytes}: {} bytes", ended.stdout.len());
        assert_eq!(ended.err(), "err\n");
        relay.in_pieces_of(1 << 14);
        assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
        site.close().await;
    }
}

/// What is left of a packet of 576 bytes without the headers of IP and TCP.
///
/// Source: RFC 879, section 2: every host takes packets of 576 bytes.
const OF_SMALL_PACKETS: u32 = 536;

#[tokio::test]
async fn packets_of_576_bytes_carry_a_large_log_and_a_large_script() {
    let words = "seq 1400000 | gzip -1n";
    let expected = written_by(words);
    let site = site().await;
    let job = site.prepared().await;
    let relay = FaultyRelay::with_segments_of(OF_SMALL_PACKETS, address_of(&job)).await;
    lead(&job, relay.address);
    let part = "# a line of a large script, of no meaning\n".repeat(50_000);
    let ended = job.run(format!("{STARTS}\n{part}{words}; echo err >&2; exit 3")).await;
    let ended = ended.with_code(BUILD_FAILURE);
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert_eq!(ended.err(), "err\n");
    assert!((1..=OF_SMALL_PACKETS).contains(&relay.segment()), "{}", relay.segment());
    assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
    site.close().await;
}

#[tokio::test]
async fn a_byte_that_changes_on_the_way_is_a_cut_and_never_a_wrong_byte() {
    let expected = written_by("seq 20000");
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let mut runs = 0;
    for after in [30, 700, 1200, 2400, 3500, 60_000] {
        relay.plan(RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Flip });
        let ended = job.run(format!("{STARTS}; seq 20000; exit 3")).await;
        assert_eq!(ended.code, BUILD_FAILURE, "{after}: {}", ended.err());
        assert!(ended.stdout == expected, "{after}: {} bytes", ended.stdout.len());
        runs += 1;
    }
    assert_eq!(starts(&job).await, runs);
    site.close().await;
}
