//! A machine in the task's place that shows a proof which a real task has given: earlier, to somebody
//! else, or a moment ago for the very same question.

use fargate_protocol::{HostProof, HostProofRequest};
use fargate_tests::{RelayBehaviour, RelayTarget};

use crate::proof_impostor::{ProofImpostor, ProofTrick, ToldToImpostor};
use crate::stolen_login::StolenLogin;
use crate::{events, gets_no_script, job, port, real_task, site, take_over, unproven};

/// What the driver asks a task of this site to sign for.
fn question(site: &fargate_tests::CheckedHost) -> HostProofRequest {
    HostProofRequest { region: "eu-west-1".to_owned(), host: format!("127.0.0.1:{}", port(site)) }
}

/// Plays a job whose task's address an impostor has, and gives what the job's author reads. The
/// impostor has all that the real task of the job tells somebody who logs in with the job's key.
async fn played(
    trick: impl FnOnce(StolenLogin, HostProof) -> ProofTrick,
    asked_sts: usize,
) -> String {
    let site = site().await;
    let relay = take_over(&site, RelayTarget::Says(Vec::new())).await;
    relay.set(RelayBehaviour::Refusing);
    let job = job(&site);
    let running = job.start(&["prepare"]);
    let real = real_task(&site, &job).await;
    let login = StolenLogin::of(&job, real).await;
    let recorded = login.ask([7; 32], question(&site)).await;
    let impostor = ProofImpostor::listen(trick(login, recorded)).await;
    relay.lead(RelayTarget::To(impostor.address));
    relay.set(RelayBehaviour::Up);
    let block = unproven(&site, job.heard(running).await);
    assert_eq!(impostor.told(), ToldToImpostor { questions: 1, later: Vec::new() });
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert_eq!(site.calls("GetCallerIdentity"), asked_sts);
    let suspicious = usize::from(!block.contains("gave no proof"));
    assert_eq!(events(&site, "security.host_unproven").len(), suspicious, "{}", site.log());
    drop(impostor);
    site.close().await;
    block
}

#[tokio::test]
async fn a_proof_that_the_task_gave_before_is_worth_nothing_for_another_question() {
    let block = played(|_, recorded| ProofTrick::Recorded(recorded), 1).await;
    insta::assert_snapshot!(block, @r#"
    error: STS refused the proof of the task's host key
      At PLACE: the host key SHA256:FINGERPRINT is not proven: STS refused the proof: SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.
      Nothing was sent: 0 bytes of the script.
      Fix: treat this as a security incident, unless STS says that the time is wrong or that it does not know these keys; other modes are `host_key = "seed"` and `"first_use"`
        aws ec2 describe-network-interfaces --filters Name=private-ip-address,Values=PLACE
      Who can fix it: whoever did it. Your script did not start.
      Cause: host-proof-refused
    "#);
}

#[tokio::test]
async fn a_proof_that_the_task_gives_at_this_moment_is_worth_nothing_for_another_key() {
    let block = played(|login, _| ProofTrick::Relayed(login, |_| {}), 1).await;
    assert!(block.contains("SignatureDoesNotMatch"), "{block}");
}

#[tokio::test]
async fn a_proof_whose_parts_were_changed_is_worth_nothing() {
    let changes: [fn(&mut HostProof); 3] = [
        |proof| proof.signature = "0f".repeat(32),
        |proof| {
            proof.date.replace_range(13..15, if proof.date.ends_with("00Z") { "01" } else { "00" })
        },
        |proof| proof.session_token.push('0'),
    ];
    for change in changes {
        let block = played(|login, _| ProofTrick::Relayed(login, change), 1).await;
        assert!(block.starts_with("error: STS refused the proof"), "{block}");
    }
}

#[tokio::test]
async fn a_part_that_would_become_another_header_never_reaches_sts() {
    let change = |proof: &mut HostProof| proof.session_token.push_str("\r\nX-Other: 1");
    let block = played(|login, _| ProofTrick::Relayed(login, change), 0).await;
    assert!(block.contains("the session token of the proof has another shape"), "{block}");
}

#[tokio::test]
async fn an_agent_from_before_proofs_is_named_with_the_way_out() {
    let block = played(|_, _| ProofTrick::Older, 0).await;
    insta::assert_snapshot!(block, @r#"
    error: the task gave no proof of its host key by its role
      At PLACE: the host key SHA256:FINGERPRINT is not proven: fargate-agent of old is from before proofs by the task's role.
      Nothing was sent: 0 bytes of the script.
      Fix: put the agent of this release into the image and name `taskRoleArn` in the task definition, or choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        aws ecs describe-task-definition --task-definition proven
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: host-proof-missing
    "#);
}
