//! Which page of a list is asked for, where the list is no list of jobs: tasks, and the events of one job.
//!
//! Other lists name what they do not understand; here there is no place for that, so it is refused.

use crate::ApiProblem;
use crate::job_query::{MOST_PER_PAGE, PER_PAGE};

/// Parameters of such a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used; the query is read by `AnswerPage`")]
pub(crate) struct ListParameters {
    /// The `next` of the page before
    after: Option<String>,
    /// Lines of a page: 1 to 200; 50 unless it is given
    per: Option<u64>,
}

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswerPage {
    /// The page begins after this place.
    pub(crate) after: Option<String>,
    /// Lines of a page.
    pub(crate) per: usize,
}

impl AnswerPage {
    /// The page that `query` asks for.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::BadParameter`] for a number of lines that no page has.
    pub(crate) fn of(query: &str) -> Result<Self, ApiProblem> {
        let given = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.into_owned())
        };
        let per = match given("per") {
            Some(per) => {
                let number =
                    per.parse::<u64>().ok().filter(|per| (1..=MOST_PER_PAGE).contains(per));
                number.ok_or_else(|| ApiProblem::bad_parameter("per", &per, "1 to 200"))?
            }
            None => PER_PAGE,
        };
        Ok(Self { after: given("after"), per: usize::try_from(per).unwrap_or(usize::MAX) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_as_many_lines_as_its_address_says() {
        let page = AnswerPage::of("per=3&after=12.ab").unwrap();
        assert_eq!(page, AnswerPage { after: Some("12.ab".to_owned()), per: 3 });
        assert_eq!(AnswerPage::of("per=&after=").unwrap(), AnswerPage { after: None, per: 50 });
        for per in ["0", "201", "-1", "many"] {
            assert!(AnswerPage::of(&format!("per={per}")).is_err(), "{per}");
        }
    }
}
