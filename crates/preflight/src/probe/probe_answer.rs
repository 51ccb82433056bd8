//! What the script of a probe said. The task's image may be anybody's, so its words are data: cut, and never
//! believed to be more than a claim about that task.

use super::plan::ProbePlan;

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// It worked; these are its words.
    Fine(String),
    /// It did not, for this reason.
    Failed(String),
    /// The image has none of these programs.
    ToolMissing(String),
}

/// The answers for the steps of `plan`, from the output of its script. A step without a line has none.
#[must_use]
pub fn probe_answers(plan: &ProbePlan, output: &[u8]) -> Vec<Option<ProbeAnswer>> {
    let mut answers = vec![None; plan.steps.len()];
    for line in String::from_utf8_lossy(output).lines() {
        let parts: Vec<&str> = line.splitn(4, '\t').collect();
        let ["probe", number, result, words] = parts.as_slice() else { continue };
        let place = number.parse::<usize>().ok().and_then(|number| answers.get_mut(number));
        let words = words.trim().to_owned();
        let answer = match *result {
            "ok" => ProbeAnswer::Fine(words),
            "failed" => ProbeAnswer::Failed(curl_words(&words)),
            "missing" => ProbeAnswer::ToolMissing(words),
            _ => continue,
        };
        if let Some(place) = place {
            *place = Some(answer);
        }
    }
    answers
}

/// What curl's status means.
///
/// Source: curl(1), "EXIT CODES".
fn curl_words(words: &str) -> String {
    let status = words.strip_prefix("curl ").and_then(|status| status.parse::<u8>().ok());
    match status {
        Some(6) => "the name is not found".to_owned(),
        Some(7) => "the connection is refused, or there is no route".to_owned(),
        Some(22) => "the service answered with an error".to_owned(),
        Some(28) => "no answer in 10 s".to_owned(),
        Some(35 | 51 | 58 | 59 | 60 | 77 | 83 | 90 | 91) => {
            "TLS was not agreed on, or its certificate is not trusted in this image".to_owned()
        }
        Some(status) => format!("curl ended with {status}"),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::ProbeStep;

    #[test]
    fn lines_of_an_image_s_own_are_no_answers() {
        let step = || ProbeStep::Resolve { host: "a".to_owned() };
        let plan = ProbePlan { steps: vec![step(), step(), step()], ..ProbePlan::default() };
        let output = b"motd\nprobe\t1\tfailed\tcurl 28\nprobe\t9\tok\tx\nprobe\t2\twell\tx\nprobe\tx\n\xff\t";
        let answers = probe_answers(&plan, output);
        let failed = ProbeAnswer::Failed("no answer in 10 s".to_owned());
        assert_eq!(answers, [None, Some(failed), None]);
    }
}
