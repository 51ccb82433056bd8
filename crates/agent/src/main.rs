//! The `fargate-agent` binary.

fn main() -> std::process::ExitCode {
    fargate_agent::run()
}
