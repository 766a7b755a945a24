//! The checks, one for each rule; each has processes of its own.

mod broken;
mod ends;
mod intents;
mod load;
mod messages;
mod services;
mod settings;
mod starts;
mod streams;

use crate::{
    outcome::{Checked, Stop},
    subject::Subject,
};

/// Holds the plugin against the rule that the subject names.
pub(crate) async fn check(plugin: &Subject<'_>) -> Checked {
    match plugin.rule {
        "R01" => starts::answers_initialize(plugin).await,
        "R04" => messages::echoes_ids(plugin).await,
        "R07" => load::answers_what_is_cancelled(plugin).await,
        "R08" => messages::refuses_unknown_methods(plugin).await,
        "R09" => messages::passes_over_unknown_notifications(plugin).await,
        "R10" => messages::passes_over_unknown_members(plugin).await,
        "R11" => messages::reads_json_as_it_may_be_written(plugin).await,
        "R12" => messages::reads_lines_however_they_come(plugin).await,
        "R13" => messages::passes_over_empty_lines(plugin).await,
        "R14" => starts::speaks_the_lower_version(plugin).await,
        "R15" => starts::refuses_foreign_versions(plugin).await,
        "R16" => starts::says_nothing_first(plugin).await,
        "R17" => starts::describes_itself(plugin),
        "R18" => intents::does_what_it_describes(plugin).await,
        "R19" => intents::answers_with_a_response(plugin).await,
        "R20" => intents::refuses_unknown_handlers(plugin).await,
        "R21" => messages::answers_ping(plugin).await,
        "R22" => ends::answers_shutdown(plugin).await,
        "R23" => ends::ends_when_shut_down(plugin).await,
        "R24" => ends::ends_with_its_input(plugin).await,
        "R25" => messages::passes_over_cancellations_of_nothing(plugin).await,
        "R26" => starts::says_the_same_before(plugin).await,
        "R27" => broken::survives_what_is_no_json(plugin).await,
        "R28" => broken::survives_batches(plugin).await,
        "R29" => broken::survives_what_is_no_message(plugin).await,
        "R30" => intents::refuses_params_that_do_not_fit(plugin).await,
        "R31" => broken::survives_lines_beyond_its_limit(plugin).await,
        "R32" => broken::takes_large_messages(plugin).await,
        "R33" => broken::survives_deep_nesting(plugin).await,
        "R34" => load::takes_many_at_once(plugin).await,
        "R35" => load::does_not_wait_for_its_reader(plugin).await,
        "R36" => ends::ends_in_the_midst_of_work(plugin).await,
        "R37" => ends::answers_what_is_open(plugin).await,
        "R38" => ends::takes_no_new_work(plugin).await,
        "R39" => ends::leaves_nobody_behind(plugin).await,
        "R41" => broken::keeps_within_the_hosts_limit(plugin).await,
        "R42" => messages::passes_over_answers_to_nothing(plugin).await,
        "R43" => starts::survives_a_second_initialize(plugin).await,
        "R44" => settings::answers_changes(plugin).await,
        "R45" => settings::refuses_what_does_not_fit(plugin).await,
        "R46" => intents::answers_deliveries(plugin).await,
        "R47" => intents::answers_direct_messages(plugin).await,
        "R51" => services::survives_refusals(plugin).await,
        "R52" => services::reads_while_it_waits(plugin).await,
        "R53" => services::ends_soon_when_cancelled(plugin).await,
        "R54" => services::says_whom_it_serves(plugin).await,
        "R56" => streams::keeps_to_the_window(plugin).await,
        "R57" => streams::goes_on_when_the_window_opens(plugin).await,
        // The ledger holds them over the traffic of every session; this is one with a bit of everything.
        "R05" => messages::does_everything_once(plugin).await,
        _ => match messages::does_everything_once(plugin).await {
            // What is not answered is another rule's.
            Err(Stop::Missed(_)) => Ok(()),
            held => held,
        },
    }
}
