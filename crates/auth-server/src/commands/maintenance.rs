//! `migrate` and `flush-expired-tokens`.

use anyhow::Result;
use auth_accounts::service::{Pruned, prune};
use auth_crypto::SystemClock;

use crate::application::Application;
use crate::compose;
use crate::config::Checked;
use crate::storage::Storage;

pub(super) async fn migrate<A: Application>(checked: &Checked, application: &A) -> Result<()> {
    let store = A::Store::open(checked).await?;
    let applied = compose::migrate(&store, application).await?;
    match applied.as_slice() {
        [] => println!("nothing to do: the tables are up to date"),
        applied => applied.iter().for_each(|name| println!("applied {name}")),
    }
    Ok(())
}

pub(super) async fn flush<A: Application>(checked: &Checked, _: &A) -> Result<()> {
    let store = A::Store::open(checked).await?;
    let pruned = prune(&store, &SystemClock, checked.settings.maintenance.prune_batch).await?;
    let Pruned { sessions, blacklisted, codes, attempts, emails } = pruned;
    print!("pruned {sessions} sessions, {blacklisted} blacklist entries, ");
    println!("{codes} codes, {attempts} counts of attempts and {emails} failed emails");
    Ok(())
}
