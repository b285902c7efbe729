//! What the handlers of accounts work with.

use std::ops::Deref;

use actix_web::web;
use auth_accounts::service::{AccountService, LoginService, SecondFactorService};

use super::App;

/// What the routes for accounts need: login, registration, profiles, passwords, email addresses, second factors.
#[derive(Clone)]
pub struct AccountServices {
    /// Logins and changes of the password.
    pub logins: LoginService,
    /// Accounts.
    pub accounts: AccountService,
    /// Second factors.
    pub second_factors: SecondFactorService,
}

/// An [`App`] whose users have accounts here. The handlers of accounts take it, so that none of them can run without.
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
