//! `create-superuser` and `make-superuser`.

use anyhow::{Result, anyhow, bail};
use auth_accounts::AccountError;
use auth_accounts::account::{AccountFault, Email, NewEmail, NewUser, NewUserId, PersonName, Taken, Username};
use auth_accounts::password::{Attribute, CheckedPassword, RawPassword};
use auth_accounts::service::AdministrationService;
use auth_core::effects::Effects;
use auth_core::user::User;
use auth_crypto::generate_secret;

use super::terminal::{ask, password};
use crate::application::Application;
use crate::cli::{CreateSuperuser, MakeSuperuser};
use crate::compose::Composition;
use crate::config::Checked;
use crate::storage::Storage;

pub(super) async fn create(checked: &Checked, options: CreateSuperuser, application: &impl Application) -> Result<()> {
    let composition = Composition::without_keys(checked, application).await?;
    let username = options.username.map_or_else(|| ask("Username"), Ok)?;
    let email = options.email.map_or_else(|| ask("Email"), Ok)?;
    let new = superuser(checked, &composition, &username, &email)?;
    let attributes = [(Attribute::Username, username.as_str()), (Attribute::Email, email.as_str())];
    let password = check_password(checked, password(options.password_stdin)?, &attributes)?;
    let user = store(&composition.administration(), &new, &password).await?;
    println!("{} is a superuser", user.username);
    Ok(())
}

pub(super) async fn make(checked: &Checked, options: MakeSuperuser, application: &impl Application) -> Result<()> {
    let composition = Composition::without_keys(checked, application).await?;
    let service = composition.administration();
    if service.has_superuser().await? {
        println!("there is already a superuser; nothing changed");
        return Ok(());
    }
    let new = superuser(checked, &composition, &options.username, &options.email)?;
    let random = generate_secret()?;
    // 192 bits, in base64url.
    let random: String = random.chars().take(32).collect();
    let password = check_password(checked, RawPassword::new(random.clone()), &[])?;
    let user = store(&service, &new, &password).await?;
    println!("username: {}\npassword: {random}\nThe password is not shown again.", user.username);
    Ok(())
}

fn superuser(
    checked: &Checked,
    composition: &Composition<impl Storage>,
    username: &str,
    email: &str,
) -> Result<NewUser> {
    let username = Username::parse(username, checked.accounts.usernames);
    Ok(NewUser {
        id: NewUserId::Next,
        username: username.map_err(|fault| anyhow!("--username: {}", message(&fault)))?,
        email: Some(NewEmail::LoginName(Email::parse(email).map_err(|fault| anyhow!("--email: {}", message(&fault)))?)),
        first_name: PersonName::default(),
        last_name: PersonName::default(),
        is_staff: true,
        is_superuser: true,
        is_imported: false,
        date_joined: composition.ports.clock.timestamp(),
        // The operator vouches for the email address.
        email_verified_at: Some(composition.ports.clock.timestamp()),
        effects: Effects::default(),
    })
}

async fn store(service: &AdministrationService, new: &NewUser, password: &CheckedPassword) -> Result<User> {
    match service.create(new, password).await {
        Err(AccountError::Account(fault)) => bail!("{}", message(&fault)),
        other => Ok(other?),
    }
}

fn message(fault: &AccountFault) -> String {
    match fault {
        AccountFault::Taken(Taken::Username) => "there is already an account with this username".to_owned(),
        AccountFault::Taken(Taken::Email) => "there is already an account with this email address".to_owned(),
        AccountFault::BadUsername => "not a valid username; use letters, digits and @ . + - _".to_owned(),
        AccountFault::BadEmail => "not a valid email address".to_owned(),
        AccountFault::TooLong(limit) => format!("more than {limit} characters"),
        other => format!("{other:?}"),
    }
}

/// Checks a password. The error is one line that names its flaws.
pub(super) fn check_password(
    checked: &Checked,
    password: RawPassword,
    attributes: &[(Attribute, &str)],
) -> Result<CheckedPassword> {
    // A login trims passwords in the same way.
    let trimmed = if checked.http.trim_passwords { password.expose().trim() } else { password.expose() };
    checked.accounts.passwords.check(RawPassword::new(trimmed), attributes).map_err(|flaws| {
        let flaws: Vec<_> = flaws.iter().map(|flaw| format!("{flaw:?}")).collect();
        anyhow!("the password is refused: {}", flaws.join(", "))
    })
}
