//! `fargate-runner image test` and what it leaves on a real Docker Engine: images with our agent and with a
//! stock `sshd`, good and bad ones.
//!
//! All tests of this program share one engine, which ends with the program.

mod bad_images;
mod far_engines;
mod good_images;
mod interrupted_tests;
mod test_site;
