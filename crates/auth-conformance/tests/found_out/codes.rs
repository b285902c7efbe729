//! One-time codes and second factors.

use super::super::{Defect, fails, passes};

found_out! {
    tries_that_are_not_counted: TriesWithoutCounting
        fails [a_code_is_tried_so_often_and_no_more, no_more_tries_are_answered_than_a_code_has]
        passes [a_used_or_ended_code_is_not_tried]
    a_try_in_two_steps: TriesInTwoSteps
        fails [no_more_tries_are_answered_than_a_code_has]
        passes [a_code_is_tried_so_often_and_no_more]
    a_try_at_any_time: TriesTheExpired
        fails [a_code_is_tried_in_its_time_only]
        passes [a_code_is_tried_so_often_and_no_more]
    older_codes_that_do_not_end: EndsNoOlderCodes
        fails [a_newer_code_ends_older_ones_of_its_purpose_and_account, one_of_many_codes_that_end_each_other_is_left]
        passes [an_issued_code_is_found_with_every_field]
    challenges_that_end_each_other: EndsChallengesToo
        fails [a_newer_code_ends_older_ones_of_its_purpose_and_account]
        passes [an_issued_code_is_found_with_every_field]
    codes_that_end_every_other: EndsCodesOfEveryPurpose
        fails [a_newer_code_ends_older_ones_of_its_purpose_and_account]
        passes [a_code_takes_the_request_that_it_answers_out]
    codes_for_nobody: IssuesForNobody
        fails [a_code_for_nobody_is_not_issued, no_code_outlives_its_account]
        passes [a_code_that_answers_no_request_is_not_issued]
    codes_that_answer_nothing: IssuesWithoutRequest
        fails [a_code_that_answers_no_request_is_not_issued, one_of_many_codes_answers_a_request]
        passes [a_code_takes_the_request_that_it_answers_out]
    codes_for_whoever_it_is_now: IssuesForWhoeverItIsNow
        fails [a_code_is_issued_for_an_account_as_it_was_read]
        passes [a_code_for_nobody_is_not_issued]
    codes_whose_mails_get_lost: ForgetsTheMailsOfCodes
        fails [a_code_takes_the_request_that_it_answers_out, the_mails_of_a_deleted_account_go_with_it]
        passes [an_issued_code_is_found_with_every_field]
    payloads_that_are_not_there_when_empty: EmptyPayloadsAreNone
        fails [an_issued_code_is_found_with_every_field]
        passes [a_code_is_redeemed_once]
    codes_that_are_good_twice: RedeemsTwice
        fails [a_code_is_redeemed_once, an_ended_code_is_not_redeemed, one_of_many_redemptions_of_a_code_wins]
        passes [an_authenticator_that_is_not_on_proves_nothing]
    a_redemption_in_two_steps: RedeemsInTwoSteps
        fails [one_of_many_redemptions_of_a_code_wins]
        passes [a_code_is_redeemed_once, an_ended_code_is_not_redeemed]
    a_redemption_that_judges_again: RedeemsOnlyTheOpen
        fails [a_code_is_redeemed_whatever_its_attempts_and_its_time]
        passes [a_code_is_redeemed_once]
    time_steps_that_are_good_twice: IgnoresTheTimeStep
        fails [a_time_step_proves_once_and_none_before_it_any_more, a_recovery_code_or_time_step_proves_one_of_many_codes]
        passes [an_authenticator_that_is_not_on_proves_nothing, a_recovery_code_proves_once]
    a_proof_by_an_authenticator_that_is_not_on: RedeemsWithoutAuthenticator
        fails [an_authenticator_that_is_not_on_proves_nothing]
        passes [a_time_step_proves_once_and_none_before_it_any_more]
    recovery_codes_that_are_good_twice: KeepsUsedRecoveryCodes
        fails [a_recovery_code_proves_once, a_recovery_code_or_time_step_proves_one_of_many_codes]
        passes [a_time_step_proves_once_and_none_before_it_any_more]
    codes_of_deleted_accounts: LeavesCodesOfTheDeleted
        fails [a_deleted_account_leaves_no_code_and_no_factor, no_code_outlives_its_account]
        passes [a_deleted_account_leaves_nothing_behind]
}

found_out! {
    a_factor_by_any_code: AddsFactorsByAnyCode
        fails [a_factor_is_added_by_an_unused_code_of_its_account_only, a_code_is_used_for_one_of_many_things]
        passes [an_added_factor_is_found_with_every_field]
    a_factor_whose_code_is_not_used: AddsFactorsWithoutUsingTheCode
        fails [an_added_factor_is_found_with_every_field, a_code_is_used_for_one_of_many_things]
        passes [a_factor_by_mail_proves_the_address]
    recovery_codes_that_replace_others: ReplacesRecoveryCodes
        fails [an_added_factor_is_found_with_every_field, a_factor_takes_the_place_of_one_of_its_method]
        passes [recovery_codes_are_replaced_where_a_factor_is_on]
    a_factor_by_mail_that_proves_nothing: ProvesNoAddress
        fails [a_factor_by_mail_proves_the_address]
        passes [an_added_factor_is_found_with_every_field]
    recovery_codes_that_outlive_the_last_factor: LeavesRecoveryCodes
        fails [a_factor_is_removed_and_the_last_one_takes_the_recovery_codes, no_recovery_code_outlives_the_last_factor]
        passes [what_is_not_on_is_not_removed]
    a_removal_in_two_steps: RemovesInTwoSteps
        fails [no_recovery_code_outlives_the_last_factor]
        passes [a_factor_is_removed_and_the_last_one_takes_the_recovery_codes]
    a_removal_of_everything: RemovesEveryFactor
        fails [a_factor_is_removed_and_the_last_one_takes_the_recovery_codes]
        passes [what_is_not_on_is_not_removed]
    a_removal_of_what_is_not_on: AnswersForFactorsThatAreOff
        fails [what_is_not_on_is_not_removed]
        passes [a_factor_is_removed_and_the_last_one_takes_the_recovery_codes]
    recovery_codes_without_a_factor: ReplacesWithoutFactor
        fails [recovery_codes_are_replaced_where_a_factor_is_on]
        passes [a_factor_takes_the_place_of_one_of_its_method]
}
