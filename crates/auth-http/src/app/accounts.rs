//! The services behind the account routes.

use std::ops::Deref;

use actix_web::web;
use auth_accounts::service::{AccountService, LoginService, SecondFactorService};

use super::App;

/// The services that the account routes need: login, registration, profiles, passwords, email addresses, second factors.
#[derive(Clone)]
pub struct AccountServices {
    /// Logins and password changes.
    pub logins: LoginService,
    /// Registration, profiles, password resets and email verification.
    pub accounts: AccountService,
    /// Second factors.
    pub second_factors: SecondFactorService,
}

/// An [`App`] with account services. Account handlers extract this type, so none of them can run without the services.
pub(crate) struct AccountApp {
    app: web::Data<App>,
    pub(crate) logins: LoginService,
    pub(crate) accounts: AccountService,
    pub(crate) second_factors: SecondFactorService,
}

impl AccountApp {
    pub(crate) fn new(app: web::Data<App>, services: AccountServices) -> Self {
        let AccountServices { logins, accounts, second_factors } = services;
        Self { app, logins, accounts, second_factors }
    }
}

impl Deref for AccountApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}
