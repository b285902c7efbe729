//! The contract finds out who breaks it: each broken store fails the cases that are about its defect, and passes
//! others, so that it is its defect that was found and not a store that does nothing at all.

mod broken;

use std::sync::Arc;

use auth_conformance::storage_case;
use tokio::task::{LocalSet, spawn_local};

use broken::{Broken, Defect};

/// How often a case may be run until it fails. All but a few of the races fail at once.
const TRIES: usize = 20;

/// Whether a fresh store with this defect passes a case. The case runs on this thread, because what is printed here by
/// its panic is shown only if the test fails; what the case spawns runs on the others.
async fn passes(defect: Defect, case: &str) -> bool {
    let run = (storage_case(case).run)(Arc::new(Broken::new(defect)));
    match LocalSet::new().run_until(async { spawn_local(run).await }).await {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_panic());
            false
        }
    }
}

async fn fails(defect: Defect, case: &str) -> bool {
    for _ in 0..TRIES {
        if !passes(defect, case).await {
            return true;
        }
    }
    false
}

macro_rules! found_out {
    ($($test:ident: $defect:ident fails [$($failed:ident),+] passes [$($passed:ident),+])*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                $(assert!(fails(Defect::$defect, stringify!($failed)).await, stringify!($failed));)+
                $(assert!(passes(Defect::$defect, stringify!($passed)).await, stringify!($passed));)+
            }
        )*
    };
}

mod found_out;

// State that the write should have checked.
found_out! {
    a_rotation_of_any_generation: RotatesAnyGeneration
        fails [only_the_live_generation_is_rotated, one_of_many_rotations_wins]
        passes [a_revoked_session_is_not_rotated]
    a_rotation_of_a_revoked_session: RotatesTheRevoked
        fails [a_revoked_session_is_not_rotated, a_rotation_never_revives_a_revoked_session]
        passes [only_the_live_generation_is_rotated]
    a_rotation_of_unexpired_sessions_only: RotatesOnlyTheUnexpired
        fails [a_rotation_asks_neither_the_time_nor_the_account]
        passes [only_the_live_generation_is_rotated]
    a_login_at_any_epoch: StartsAtAnyEpoch
        fails [no_session_starts_after_the_end_of_all_sessions, no_login_escapes_the_end_of_all_sessions]
        passes [no_session_starts_for_an_inactive_account]
    a_login_for_inactive_accounts: StartsForTheInactive
        fails [no_session_starts_for_an_inactive_account, no_session_starts_once_an_account_is_inactive]
        passes [no_session_starts_after_the_end_of_all_sessions]
    a_login_that_trusts_the_callers_copy: TrustsTheCallersCopy
        fails [the_account_at_rest_decides_whether_a_session_starts]
        passes [no_session_starts_for_an_inactive_account]
    an_upgrade_of_any_hash: UpgradesAnyHash
        fails [a_hash_upgrade_does_not_undo_a_password_change, a_hash_is_upgraded_if_it_is_still_the_old_one]
        passes [a_password_change_ends_every_session_of_the_account]
    an_adoption_of_blacklisted_tokens: AdoptsTheBlacklisted
        fails [a_blacklisted_token_is_not_adopted]
        passes [a_token_not_issued_after_a_moved_epoch_is_not_adopted]
    an_adoption_of_tokens_older_than_the_epoch: AdoptsTokensOlderThanTheEpoch
        fails [a_token_not_issued_after_a_moved_epoch_is_not_adopted, no_adoption_escapes_the_end_of_all_sessions]
        passes [a_blacklisted_token_is_not_adopted]
    an_adoption_for_nobody: AdoptsForNobody
        fails [a_token_of_nobody_is_not_adopted, no_session_outlives_its_account]
        passes [a_blacklisted_token_is_not_adopted]
    an_adoption_for_active_accounts_only: AdoptsOnlyForTheActive
        fails [adoption_does_not_ask_whether_the_account_is_active]
        passes [a_blacklisted_token_is_not_adopted]
    names_that_are_not_unique: NamesAreNotUnique
        fails [a_name_with_the_same_canonical_form_is_taken, one_of_many_new_accounts_gets_the_name]
        passes [a_new_account_is_found_with_every_field, a_login_name_is_compared_exactly]
}

// A read, then a write: wrong only in a race.
found_out! {
    a_rotation_in_two_steps: RotatesInTwoSteps
        fails [one_of_many_rotations_wins, a_rotation_never_revives_a_revoked_session,
            a_rotation_never_survives_the_end_of_all_sessions]
        passes [only_the_live_generation_is_rotated, a_revoked_session_is_not_rotated]
    a_login_in_two_steps: StartsInTwoSteps
        fails [no_login_escapes_the_end_of_all_sessions]
        passes [no_session_starts_after_the_end_of_all_sessions]
    an_adoption_in_two_steps: AdoptsInTwoSteps
        fails [no_adoption_escapes_the_end_of_all_sessions]
        passes [a_token_not_issued_after_a_moved_epoch_is_not_adopted]
    a_registration_in_two_steps: CreatesInTwoSteps
        fails [one_of_many_new_accounts_gets_the_name, one_of_many_new_accounts_gets_the_address]
        passes [a_name_with_the_same_canonical_form_is_taken]
    a_renaming_in_two_steps: RenamesInTwoSteps
        fails [one_of_many_renamed_accounts_gets_the_name]
        passes [an_empty_profile_change_answers_the_account_as_it_is]
    a_password_change_in_two_steps: SetsPasswordsInTwoSteps
        fails [an_account_and_its_hash_are_read_at_one_moment, a_dropped_password_change_happens_whole_or_not_at_all]
        passes [a_password_change_ends_every_session_of_the_account]
    an_upgrade_in_two_steps: UpgradesInTwoSteps
        fails [a_hash_upgrade_never_brings_the_old_password_back]
        passes [a_hash_upgrade_does_not_undo_a_password_change]
    a_pruning_in_two_steps: PrunesInTwoSteps
        fails [a_session_that_was_rotated_in_time_is_not_pruned]
        passes [only_sessions_whose_last_token_expired_before_are_pruned, at_most_so_many_sessions_are_pruned]
    an_end_of_all_that_counts_in_two_steps: CountsInTwoSteps
        fails [each_session_is_ended_by_one_of_many_ends_of_all]
        passes [the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
    a_profile_written_back_whole: WritesWholeProfiles
        fails [changes_to_different_fields_are_all_kept]
        passes [a_profile_change_changes_what_is_given_and_nothing_else]
    a_session_read_before_its_user: FindsTornSessions
        fails [a_session_and_its_user_are_read_at_one_moment]
        passes [a_session_is_found_with_its_user_as_it_is_now]
    a_store_that_fails_when_busy: FailsWhenBusy
        fails [a_storm_of_calls_for_one_account_ends_without_an_error, two_buckets_are_counted_in_whatever_order]
        passes [an_account_is_deactivated_and_activated_and_nothing_else_changes]
}

// Things left undone.
found_out! {
    lost_revocations: LosesRevocations
        fails [a_session_is_revoked_once_and_the_first_reason_stays, a_rotation_never_revives_a_revoked_session]
        passes [a_missing_session_is_neither_rotated_nor_revoked, one_of_many_rotations_wins]
    revocations_that_overwrite_the_first: RevokesAgain
        fails [a_session_is_revoked_once_and_the_first_reason_stays, one_of_many_revocations_is_the_first]
        passes [a_revoked_session_is_not_rotated]
    an_end_of_all_that_forgets_the_epoch: EndsAllButTheEpoch
        fails [the_end_of_all_sessions_moves_the_epoch_even_if_there_is_none,
            no_session_starts_after_the_end_of_all_sessions, no_adoption_escapes_the_end_of_all_sessions]
        passes [the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
    an_end_of_all_that_spares_nothing: EndsAllWithoutException
        fails [the_end_of_all_sessions_spares_the_one_to_keep_and_other_accounts]
        passes [the_end_of_all_sessions_moves_the_epoch_even_if_there_is_none]
    a_password_change_that_ends_no_session: KeepsSessionsWithANewPassword
        fails [a_password_change_ends_every_session_of_the_account]
        passes [no_session_starts_after_a_password_change, a_hash_upgrade_does_not_undo_a_password_change]
    a_deletion_without_cascade: DeletesWithoutCascade
        fails [a_deleted_account_leaves_nothing_behind, no_session_outlives_its_account]
        passes [a_deleted_account_frees_its_name_and_address]
    a_demotion_that_leaves_a_superuser: DemotesToSuperuser
        fails [an_administrator_is_made_and_unmade, there_is_a_superuser_until_the_last_one_is_demoted_or_deleted]
        passes [a_new_account_has_the_privileges_it_was_given]
    a_refused_profile_change_that_stops_half_way: TakenNamesStopHalfWay
        fails [a_profile_change_to_what_another_has_changes_nothing]
        passes [a_profile_change_changes_what_is_given_and_nothing_else]
    logins_that_are_not_noted: NotesNoLogin
        fails [a_login_is_noted_with_its_account_or_left]
        passes [a_started_session_is_found_with_every_field]
}

// Wrong answers.
found_out! {
    stale_sessions: FindsStaleSessions
        fails [a_session_is_found_with_its_user_as_it_is_now, a_rotation_writes_the_next_generation_and_nothing_else]
        passes [a_started_session_is_found_with_every_field, one_of_many_new_accounts_gets_the_name]
    an_adoption_that_replaces_the_session: ReplacesAdoptedSessions
        fails [an_adopted_session_is_left_as_it_is, many_adoptions_of_one_token_make_one_session]
        passes [a_token_from_elsewhere_becomes_a_session_with_every_field]
    a_login_name_without_letter_case: LoginFoldsCase
        fails [a_login_name_is_compared_exactly, letter_case_makes_two_names_where_their_canonical_forms_differ]
        passes [a_new_account_is_found_with_every_field, a_login_name_may_be_any_text]
    a_login_that_hides_inactive_accounts: LoginHidesTheInactive
        fails [an_inactive_account_is_found_for_login]
        passes [a_login_name_is_compared_exactly]
    an_error_for_an_odd_login_name: RefusesOddLoginNames
        fails [a_login_name_may_be_any_text]
        passes [a_login_name_is_compared_exactly]
    a_key_from_elsewhere_taken_for_a_number: FindsKeysByNumber
        fails [an_account_made_here_has_no_key_from_elsewhere]
        passes [nobody_has_an_unknown_number]
    an_own_name_taken_for_anothers: RefusesOwnNames
        fails [an_account_may_keep_and_respell_its_own_name_and_address]
        passes [a_profile_change_to_what_another_has_changes_nothing]
    a_list_by_name: ListsByName
        fails [accounts_are_listed_page_by_page_in_the_order_of_their_numbers]
        passes [there_is_a_superuser_until_the_last_one_is_demoted_or_deleted]
    success_for_nobody: AnswersForNobody
        fails [what_is_asked_of_nobody_is_answered_so]
        passes [an_account_is_deactivated_and_activated_and_nothing_else_changes]
    changed_rows_taken_for_found_ones: CountsChangedRows
        fails [an_account_is_deactivated_and_activated_and_nothing_else_changes]
        passes [what_is_asked_of_nobody_is_answered_so]
    moments_without_microseconds: CutsMicroseconds
        fails [a_new_account_is_found_with_every_field, an_account_at_every_limit_is_kept_byte_for_byte]
        passes [a_session_at_every_limit_is_kept_byte_for_byte]
    user_agents_cut_short: CutsUserAgents
        fails [a_session_at_every_limit_is_kept_byte_for_byte]
        passes [a_started_session_is_found_with_every_field]
    a_blacklist_without_letter_case: BlacklistFoldsCase
        fails [tokens_are_told_apart_exactly, a_blacklisted_token_is_not_adopted]
        passes [a_token_is_refused_from_the_first_time_on]
    a_blacklist_that_is_always_new: BlacklistsAgainAndAgain
        fails [a_token_is_refused_from_the_first_time_on, one_of_many_refusals_of_a_token_is_the_first]
        passes [tokens_are_told_apart_exactly]
    a_pruning_a_second_too_early: PrunesTooEarly
        fails [only_sessions_whose_last_token_expired_before_are_pruned, only_tokens_that_expired_before_are_pruned,
            only_codes_that_expired_before_are_pruned, only_counts_that_expired_before_are_pruned,
            only_mails_that_were_given_up_before_are_pruned]
        passes [at_most_so_many_sessions_are_pruned, at_most_so_many_tokens_are_pruned]
    a_pruning_without_limit: PrunesWithoutLimit
        fails [at_most_so_many_sessions_are_pruned, at_most_so_many_tokens_are_pruned, at_most_so_many_codes_are_pruned,
            at_most_so_many_counts_are_pruned, at_most_so_many_mails_are_pruned]
        passes [only_sessions_whose_last_token_expired_before_are_pruned, only_tokens_that_expired_before_are_pruned]
}

// Groups, and the names that tokens have for an account.
found_out! {
    groups_that_are_added: KeepsOldGroups
        fails [groups_are_set_replaced_and_emptied]
        passes [nobody_is_put_into_groups, groups_are_found_in_every_way_an_account_is_read]
    groups_without_letter_case: FoldsGroups
        fails [groups_are_set_replaced_and_emptied]
        passes [groups_are_found_in_every_way_an_account_is_read]
    groups_that_are_not_read_with_a_session: ForgetsGroupsInSessions
        fails [groups_are_found_in_every_way_an_account_is_read]
        passes [groups_are_set_replaced_and_emptied, a_session_is_found_with_its_user_as_it_is_now]
    a_renaming_that_forgets_groups: ForgetsGroupsOnRename
        fails [groups_are_found_in_every_way_an_account_is_read]
        passes [groups_are_set_replaced_and_emptied, groups_survive_every_other_change_of_the_account]
    a_password_change_that_forgets_groups: ForgetsGroupsWithThePassword
        fails [groups_survive_every_other_change_of_the_account]
        passes [groups_are_set_replaced_and_emptied, a_password_change_ends_every_session_of_the_account]
    groups_of_nobody: AnswersForNobodysGroups
        fails [nobody_is_put_into_groups]
        passes [groups_are_set_replaced_and_emptied]
    a_subject_without_letter_case: SubjectFoldsCase
        fails [an_account_is_found_by_exactly_its_name_and_address]
        passes [an_inactive_account_is_found_by_its_subject]
    an_error_for_an_odd_subject: RefusesOddSubjects
        fails [a_subject_may_be_any_text]
        passes [an_account_is_found_by_exactly_its_name_and_address]
    an_old_name_that_is_still_known: FindsOldNames
        fails [a_name_that_was_given_up_names_nobody_until_another_takes_it]
        passes [an_account_is_found_by_exactly_its_name_and_address]
    a_subject_that_hides_inactive_accounts: SubjectHidesTheInactive
        fails [an_inactive_account_is_found_by_its_subject]
        passes [an_account_is_found_by_exactly_its_name_and_address]
}
