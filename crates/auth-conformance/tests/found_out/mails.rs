//! The outbox.

use super::super::{Defect, fails, passes};

found_out! {
    mails_that_anybody_may_take: ClaimsWithoutHiding
        fails [a_mail_that_was_taken_out_is_kept_from_others_until_its_moment]
        passes [a_mail_that_was_given_up_stays_and_is_not_taken_out]
    mails_taken_out_in_two_steps: ClaimsInTwoSteps
        fails [each_mail_is_taken_out_by_one_of_many]
        passes [mails_are_taken_out_in_the_order_in_which_they_were_put_in]
    an_outcome_of_any_claim: AcceptsAnyOutcome
        fails [only_the_last_claim_reports_an_outcome, a_mail_is_done_with_or_taken_over]
        passes [a_postponed_mail_is_due_at_its_moment]
    delivered_mails_that_stay: DeliversWithoutForgetting
        fails [a_mail_is_taken_out_with_every_field, one_of_many_outcomes_of_a_claim_counts]
        passes [a_postponed_mail_is_due_at_its_moment]
    contents_cut_short: CutsContents
        fails [a_mail_is_taken_out_with_every_field]
        passes [a_postponed_mail_is_due_at_its_moment]
    a_list_from_the_end: ListsTheOutboxBackwards
        fails [the_outbox_is_listed_page_by_page]
        passes [a_postponed_mail_is_due_at_its_moment]
    every_mail_tried_again: RetriesEverything
        fails [all_mails_that_were_given_up_are_tried_again]
        passes [a_mail_that_somebody_has_taken_out_is_left_to_them]
    mails_that_wait_for_a_clock_of_the_past: WaitsForLostMoments
        fails [a_clock_that_was_moved_back_holds_no_mail]
        passes [a_clock_that_was_moved_back_frees_what_was_taken_out, a_postponed_mail_is_due_at_its_moment]
    mails_taken_from_a_clock_that_is_ahead: TakesMailsFromSlowClocks
        fails [a_clock_that_was_moved_back_frees_what_was_taken_out]
        passes [a_mail_that_was_taken_out_is_kept_from_others_until_its_moment]
    mails_of_deleted_accounts: LeavesMailsOfTheDeleted
        fails [the_mails_of_a_deleted_account_go_with_it, no_code_outlives_its_account]
        passes [mails_are_taken_out_in_the_order_in_which_they_were_put_in]
}
