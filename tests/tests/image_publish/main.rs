//! `fargate-runner image publish`, with a Docker Engine, a registry and the local cloud.
//!
//! All tests of this program share one engine, which ends with the program.

mod bad_candidates;
mod checked_repositories;
mod ended_phases;
mod ended_runs;
#[path = "../images/image_layout.rs"]
#[allow(dead_code, reason = "the tests of `images` use all of it")]
mod image_layout;
mod layout_publishes;
mod stored_images;
mod whole_life;

use std::sync::OnceLock;

use fargate_tests::{TestEngine, have, skip};

/// What all tests share, or `None` after saying why they are skipped. In CI nothing is skipped.
fn engine() -> Option<&'static TestEngine> {
    static ENGINE: OnceLock<Result<TestEngine, String>> = OnceLock::new();
    if !have("busybox") {
        skip("busybox is not installed");
        return None;
    }
    match ENGINE.get_or_init(TestEngine::start) {
        Ok(engine) => Some(engine),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}
