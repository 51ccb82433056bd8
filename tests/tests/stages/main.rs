//! The contract of the four stages, as gitlab-runner would see it: streams, codes, signals.

mod contract;
mod interrupts;
mod large;
mod long_jobs;
mod oracle;
mod output;
mod prepare_cut;
