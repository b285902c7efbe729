//! `users …`.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail};
use auth_accounts::password::Attribute;
use auth_accounts::ports::{AccountPage, ListedUsers};
use auth_accounts::service::{Action, AdministrationService, Outcome};
use auth_core::user::{GroupName, User};

use super::{superuser, terminal};
use crate::application::Application;
use crate::cli::{SetPassword, Users};
use crate::compose::Composition;
use crate::config::Checked;

/// Users that are read at once.
const PAGE: u32 = 500;

pub(super) async fn run(checked: &Checked, command: Users, application: &impl Application) -> Result<()> {
    let service = Composition::without_keys(checked, application).await?.administration();
    let (username, action, done) = match command {
        Users::List => return list(&service).await,
        Users::SetPassword(options) => return set_password(checked, &service, options).await,
        Users::Activate(account) => (account.username, Action::Activate, "is active"),
        Users::Deactivate(account) => (account.username, Action::Deactivate, "is inactive"),
        Users::Promote(account) => (account.username, Action::Promote, "has staff rights"),
        Users::Demote(account) => (account.username, Action::Demote, "does not have staff rights"),
        Users::SetGroups(options) => {
            (options.username, Action::SetGroups(groups(&options.groups)?), "now has exactly these groups")
        }
        Users::Delete(account) => (account.username, Action::Delete, "is deleted"),
        Users::RemoveSecondFactors(account) => (account.username, Action::RemoveSecondFactors, "has no second factors"),
    };
    act(&service, &username, &action, done).await
}

fn groups(names: &[String]) -> Result<BTreeSet<GroupName>> {
    let parse =
        |name: &String| GroupName::parse(name).map_err(|error| anyhow!("{name:?} is not a valid group name: {error}"));
    names.iter().map(parse).collect()
}

async fn act(service: &AdministrationService, username: &str, action: &Action, done: &str) -> Result<()> {
    match service.act(username, action).await? {
        Outcome::Done => println!("{username} {done}"),
        Outcome::NothingToDo => println!("{username} has no second factors; nothing changed"),
        Outcome::NoSuchAccount => bail!("there is no user {username:?}"),
    }
    Ok(())
}

async fn set_password(checked: &Checked, service: &AdministrationService, options: SetPassword) -> Result<()> {
    let Some(user) = service.find(&options.username).await? else {
        bail!("there is no user {:?}", options.username);
    };
    let password = terminal::password(options.password_stdin)?;
    let password = superuser::check_password(checked, password, &attributes(&user))?;
    act(service, &options.username, &Action::SetPassword(password), "has a new password; all sessions were revoked")
        .await
}

fn attributes(user: &User) -> [(Attribute, &str); 4] {
    [
        (Attribute::Username, &user.username),
        (Attribute::FirstName, &user.first_name),
        (Attribute::LastName, &user.last_name),
        (Attribute::Email, user.email.as_deref().unwrap_or_default()),
    ]
}

async fn list(service: &AdministrationService) -> Result<()> {
    println!("{:>8}  {:<8}  {:<5}  {:<30}  {:<30}  groups", "id", "active", "admin", "username", "email");
    let mut after = None;
    loop {
        let ListedUsers { users, end } = service.list(AccountPage { after, limit: PAGE }).await?;
        for user in &users {
            let yes_no = |value| if value { "yes" } else { "no" };
            let (active, admin) = (yes_no(user.is_active), yes_no(user.is_staff));
            let groups = user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(", ");
            let line = format!(
                "{:>8}  {active:<8}  {admin:<5}  {:<30}  {:<30}  {groups}",
                user.id.to_string(),
                user.username,
                user.email.as_deref().unwrap_or("-")
            );
            println!("{}", line.trim_end());
        }
        match end {
            Some(end) => after = Some(end),
            None => return Ok(()),
        }
    }
}
