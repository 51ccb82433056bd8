//! What the history of a job learns of its launches. The launcher says when.

use fargate_events::{JobFact, LaunchFact, emit_fact};
use fargate_model::cause::CauseReport;
use fargate_model::id::TaskArn;
use fargate_state::{LaunchRequest, TaskCapacity};

/// Tells the history of a launch that is sent now.
pub(super) fn tell_launch(request: &LaunchRequest) {
    let capacity = match &request.purchase {
        // Of several, ECS chooses; it says later which one it was.
        TaskCapacity::Strategy(providers) => match &providers[..] {
            [only] => Some(only.name.clone()),
            _ => None,
        },
        TaskCapacity::LaunchType(_) | TaskCapacity::ClusterDefault => None,
    };
    emit_fact(JobFact::LaunchSent(LaunchFact {
        launch: request.token.clone(),
        subnet: request.subnet.clone(),
        capacity,
        definition: request.task_definition.clone(),
        security_groups: request.security_groups.clone(),
    }));
}

/// Tells the history what became of it.
pub(super) fn tell_answer(request: &LaunchRequest, answer: Result<&TaskArn, &CauseReport>) {
    emit_fact(JobFact::LaunchAnswered {
        launch: request.token.clone(),
        task: answer.ok().cloned(),
        report: answer.err().map(|why| Box::new(why.clone())),
    });
}
