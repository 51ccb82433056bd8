//! What the registry says of the images of a profile and of its fixed task definition. It is asked only if the
//! caller wants it.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::job_needs::JobNeeds;
use crate::views::ImageAnswer;

/// What the report says as a whole if no registry was asked.
pub(crate) fn not_asked(needs: &JobNeeds) -> Option<&'static str> {
    let words =
        "No registry was asked whether the image is there and fits the processor: give --pull.";
    (!needs.pull).then_some(words)
}

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let images = input.view.registry.images.iter();
    let answers = images.map(|((image, processor), reading)| {
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
                let fix = fix.as_deref().unwrap_or("correct the image, its registry or its login");
                finding.fix(fix).command(command)
            }
        }
    });
    answers.chain(unread_definitions(input)).collect()
}

/// Fixed definitions that were not read: nobody knows their images, so no registry was asked for them. One that
/// cannot be used fails in its own check.
fn unread_definitions(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let mut found: Vec<CheckFinding> = Vec::new();
    let profiles = input.needs.profiles.iter().zip(&input.view.cluster.definitions);
    for (profile, definition) in profiles.filter(|_| input.needs.pull) {
        let Some(name) = profile.task_definition.as_ref().filter(|_| profile.image.is_none())
        else {
            continue;
        };
        let subject = format!("whether a task can pull the images of the task definition {name}");
        found.extend(definition.or_unknown(&subject).err().filter(|it| !found.contains(it)));
    }
    found
}
