//! Passwords and addresses.

use super::super::{Defect, fails, passes};

found_out! {
    a_password_in_place_of_any: IgnoresTheOldPassword
        fails [a_password_takes_the_place_of_the_one_that_was_compared, every_condition_of_a_password_must_hold,
            one_of_many_passwords_in_place_of_the_same_one_is_set]
        passes [a_code_sets_a_password_if_it_can_be_used]
    a_password_compared_in_two_steps: ChecksPasswordsInTwoSteps
        fails [one_of_many_passwords_in_place_of_the_same_one_is_set]
        passes [a_password_takes_the_place_of_the_one_that_was_compared]
    a_password_by_any_code: IgnoresTheCode
        fails [a_code_sets_a_password_if_it_can_be_used, one_of_many_passwords_by_the_same_code_is_set,
            a_code_is_used_for_one_of_many_things]
        passes [a_password_takes_the_place_of_the_one_that_was_compared]
    a_password_that_keeps_any_session: IgnoresTheSessionToKeep
        fails [a_password_keeps_a_live_session_of_its_account_or_is_not_set,
            a_session_is_kept_by_a_password_or_rotated_by_another]
        passes [the_session_to_keep_goes_on_and_all_others_end]
    a_kept_session_of_the_same_generation: KeepsTheOldGeneration
        fails [the_session_to_keep_goes_on_and_all_others_end]
        passes [a_password_keeps_a_live_session_of_its_account_or_is_not_set]
    codes_that_outlive_a_password: KeepsCodesWithANewPassword
        fails [another_password_ends_the_open_codes_of_every_purpose]
        passes [a_code_sets_a_password_if_it_can_be_used]
    a_password_that_proves_any_address: ProvesAnyAddress
        fails [a_password_proves_the_address_that_the_account_still_has]
        passes [every_condition_of_a_password_must_hold]
    mails_of_passwords_that_are_not_set: SendsMailsOfRefusals
        fails [every_condition_of_a_password_must_hold, one_of_many_passwords_by_the_same_code_is_set]
        passes [another_password_ends_the_open_codes_of_every_purpose]
    mails_of_a_reuse_that_was_known: SendsMailsOfReuseTwice
        fails [a_reused_session_ends_once_and_its_mails_go_with_it]
        passes [a_session_is_revoked_once_and_the_first_reason_stays]
}

found_out! {
    an_address_in_its_exact_spelling: FindsAddressesExactly
        fails [an_account_is_found_by_its_address_whatever_the_letter_case]
        passes [a_code_changes_the_address_of_its_account]
    a_proof_that_outlives_its_address: KeepsProofsOfOldAddresses
        fails [another_address_is_not_proven_and_ends_the_open_codes]
        passes [a_profile_change_that_moves_no_mailbox_ends_no_code]
    codes_that_outlive_an_address: KeepsCodesOfOldAddresses
        fails [another_address_is_not_proven_and_ends_the_open_codes]
        passes [a_profile_change_that_moves_no_mailbox_ends_no_code]
    a_proof_lost_by_another_spelling: ForgetsProofsOnRespelling
        fails [a_profile_change_that_moves_no_mailbox_ends_no_code]
        passes [another_address_is_not_proven_and_ends_the_open_codes]
    an_address_by_a_spent_code: ConfirmsWithSpentCodes
        fails [a_code_confirms_an_address_if_it_can_be_used, one_of_many_confirmations_by_a_code_is_done]
        passes [a_code_changes_the_address_of_its_account]
    a_proof_of_a_former_address: ConfirmsFormerAddresses
        fails [an_address_that_the_account_has_no_more_is_not_confirmed]
        passes [a_code_proves_the_address_of_its_account]
    codes_spent_on_taken_addresses: SpendsCodesOfTakenAddresses
        fails [a_taken_address_is_not_confirmed, one_of_many_accounts_gets_the_address_that_all_confirm]
        passes [a_code_changes_the_address_of_its_account]
    codes_that_outlive_a_confirmed_change: KeepsCodesAfterAChange
        fails [a_code_changes_the_address_of_its_account]
        passes [a_code_proves_the_address_of_its_account]
}
