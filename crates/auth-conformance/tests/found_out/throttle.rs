//! Limits of attempts.

use super::super::{Defect, fails, passes};

found_out! {
    attempts_counted_although_refused: CountsTheRefused
        fails [several_buckets_count_an_attempt_all_or_none, what_one_bucket_refuses_is_counted_in_no_other]
        passes [so_many_attempts_are_let_in_while_a_window_is_open]
    attempts_counted_in_two_steps: AdmitsInTwoSteps
        fails [exactly_the_limit_is_let_in_of_many, two_buckets_are_counted_in_whatever_order]
        passes [so_many_attempts_are_let_in_while_a_window_is_open, attempts_in_a_row_wait_longer_and_longer]
    the_first_wait_for_the_longest: AnswersTheFirstWait
        fails [the_longest_wait_is_answered]
        passes [so_many_attempts_are_let_in_while_a_window_is_open]
    a_count_of_none_that_is_a_count: LeavesEmptyCounts
        fails [the_only_attempt_that_is_taken_back_was_never_counted, a_count_is_taken_back_whole]
        passes [an_attempt_is_taken_back]
    a_row_forgiven_for_one: ForgivesEverything
        fails [an_attempt_is_taken_back, what_is_let_in_is_what_the_limit_decides]
        passes [the_only_attempt_that_is_taken_back_was_never_counted]
    nothing_forgiven: ForgivesNothing
        fails [an_attempt_is_taken_back, a_count_is_taken_back_whole, attempts_are_taken_back_while_others_are_counted]
        passes [the_longest_wait_is_answered]
    buckets_without_letter_case: BucketsFoldCase
        fails [buckets_are_told_apart_exactly]
        passes [several_buckets_count_an_attempt_all_or_none]
}
