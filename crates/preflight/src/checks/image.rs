//! What the registry says of the image of a profile. It is asked only if the caller wants it.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::views::ImageAnswer;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let images = input.view.registry.images.iter();
    images
        .map(|((image, processor), reading)| {
            match reading.or_unknown(&format!("whether a task can pull {image}")) {
                Err(unknown) => unknown,
                Ok(ImageAnswer::Found { digest, architectures }) => {
                    let made_for = architectures.join(", ");
                    CheckFinding::pass(format!("{image} is {digest}, made for {made_for}"))
                }
                Ok(ImageAnswer::Unusable { why, fix }) => {
                    let found = format!("{image} for {processor}: {why}");
                    let finding =
                        CheckFinding::fail(found, format!("tasks cannot run the image {image}"));
                    let command = "fargate-runner registry-secret test";
                    let fix =
                        fix.as_deref().unwrap_or("correct the image, its registry or its login");
                    finding.fix(fix).command(command)
                }
            }
        })
        .collect()
}
