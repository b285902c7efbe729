//! What the tests of passwords, addresses and second factors share.

use auth_conformance::PlainVault;
use auth_core::AuthError;
use auth_core::account::{Email, LoginName};
use auth_core::code::{CodePurpose, OneTimeCode};
use auth_core::mail::{Fact, Mail, MailContent, MailKind, Queued};
use auth_core::password::{PasswordPolicy, RawPassword};
use auth_core::ports::{Accounts, Vault};
use auth_core::second_factor::{Method, RecoveryCode, TOTP_STEP, TotpSecret};
use auth_core::service::{
    AccountPolicy, Caller, Delivery, Enrolment, Issued, PasswordChange, SecondFactorChallenge, Shown, TokenPair,
    TokenPolicy,
};
use auth_core::token::ClientInfo;

use super::{PASSWORD, World, access_of, policy};

pub const NEW_PASSWORD: &str = "Another-horse-43";

/// The product's own policy, where somebody sends the mails.
pub fn mailing() -> TokenPolicy {
    with_accounts(|_| ())
}

/// The same, and something about accounts.
pub fn with_accounts(change: impl FnOnce(&mut AccountPolicy)) -> TokenPolicy {
    let mut accounts = AccountPolicy { sends_mail: true, ..AccountPolicy::default() };
    change(&mut accounts);
    TokenPolicy { accounts, ..policy() }
}

pub fn client() -> ClientInfo {
    from("192.0.2.7")
}

pub fn from(address: &str) -> ClientInfo {
    ClientInfo::new(Some(address.to_owned()), Some("tests/1"))
}

pub fn raw(password: &str) -> RawPassword {
    RawPassword::new(password)
}

pub fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub fn named(name: &str) -> LoginName {
    LoginName::Username(name.to_owned())
}

/// The password, and no code.
pub fn shown(password: &str) -> Shown {
    Shown { password: raw(password), answer: None, client: client() }
}

/// The password and a code.
pub fn shown_with(challenge: &SecondFactorChallenge, code: &str) -> Shown {
    Shown { answer: Some((challenge.challenge.expose().to_owned(), code.to_owned())), ..shown(PASSWORD) }
}

/// Six digits that are not these.
pub fn other_than(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

impl World {
    pub async fn caller(&self, pair: &TokenPair) -> Caller {
        self.tokens.authenticate(&access_of(pair)).await.unwrap()
    }

    pub async fn try_login_from(
        &self,
        name: &LoginName,
        password: &str,
        address: &str,
    ) -> Result<TokenPair, AuthError> {
        self.tokens.login(name, &raw(password), from(address)).await
    }

    /// Whether this is the password, past all limits and without leaving a trace.
    pub async fn has_password(&self, name: &str, password: &str) -> bool {
        let (_, hash) = self.store.find_for_login(&named(name)).await.unwrap().unwrap();
        hash == auth_conformance::hash_of(password)
    }

    pub async fn change_password(&self, caller: &Caller, old: &str, new: &str) -> Result<Option<TokenPair>, AuthError> {
        let change = PasswordChange { old: raw(old), new: raw(new), client: client() };
        let issued = self.tokens.change_password(caller, change, &PasswordPolicy::default()).await?;
        Ok(issued.map(|issued| match issued {
            Issued::Pair(pair) => pair,
            Issued::Sliding(_) => panic!("a sliding token"),
        }))
    }

    /// Sends and looks into all that is due. Gives the mails that were sent.
    pub async fn deliver_all(&self) -> Vec<Mail> {
        while self.outbox.deliver_next().await.unwrap() != Delivery::Idle {}
        self.mailer.taken()
    }

    /// What mails wait in the outbox, and whom they go to.
    pub fn waiting(&self) -> Vec<(Queued, String)> {
        self.store.mails().into_iter().map(|mail| (mail.queued, mail.to)).collect()
    }

    /// A secret of the newest mail of a kind that waits in the outbox.
    pub fn mailed(&self, kind: MailKind, fact: Fact) -> String {
        let mails = self.store.mails();
        let mail = mails.iter().rev().find(|mail| mail.queued == Queued::Mail(kind)).unwrap();
        let opened = self.vault.open(&MailContent::context(mail.id, mail.queued), &mail.content).unwrap();
        MailContent::from_bytes(&opened).unwrap().get(fact).unwrap().to_owned()
    }

    /// The six digits that were mailed last.
    pub fn mailed_code(&self) -> String {
        self.mailed(MailKind::SecondFactorCode, Fact::Code)
    }

    /// The token of a link to reset the password of somebody.
    pub async fn reset_link(&self, name: &str) -> String {
        self.accounts.request_reset(&email(&format!("{name}@example.com")), &client()).await.unwrap();
        token_of(&self.deliver_all().await, MailKind::PasswordReset)
    }

    pub async fn reset(&self, token: &str, password: &str) -> Result<(), AuthError> {
        self.accounts.confirm_reset(token, raw(password), &PasswordPolicy::default(), &client()).await
    }

    pub fn codes_for(&self, purpose: CodePurpose) -> Vec<OneTimeCode> {
        self.store.codes().into_iter().filter(|code| code.purpose == purpose).collect()
    }

    /// Asks for a login that takes a second factor.
    pub async fn asked(&self, name: &str) -> SecondFactorChallenge {
        match self.try_login(name, PASSWORD).await {
            Err(AuthError::SecondFactorRequired(challenge)) => *challenge,
            other => panic!("not asked for a second factor: {other:?}"),
        }
    }

    /// What an authenticator shows so many steps from now.
    pub fn code_of(&self, secret: &TotpSecret, steps: i64) -> String {
        let step = self.now().div_euclid(TOTP_STEP) + steps;
        // Past the vault that counts.
        let number = PlainVault::default().hotp(secret.expose(), step.try_into().unwrap());
        format!("{:06}", number % 1_000_000)
    }

    /// Goes on to the next time step of authenticators.
    pub fn next_step(&self) {
        self.advance(TOTP_STEP as u64);
    }

    /// Switches codes by mail on for an account that has no second factor. Gives the recovery codes.
    pub async fn enrol_email(&self, name: &str) -> Vec<RecoveryCode> {
        let user = self.stored(name).await;
        let Enrolment::Email(challenge) = self.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap()
        else {
            panic!("an enrolment by mail");
        };
        let code = self.mailed_code();
        let confirmed = self.factors.confirm(&user, challenge.expose(), &code, &client()).await.unwrap();
        confirmed.recovery_codes.unwrap()
    }

    /// Switches an authenticator on for an account that has no second factor. The code of this step is used up then.
    pub async fn enrol_totp(&self, name: &str) -> (TotpSecret, Vec<RecoveryCode>) {
        let user = self.stored(name).await;
        let enrolment = self.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        let Enrolment::Totp { challenge, secret, .. } = enrolment else { panic!("an enrolment of an authenticator") };
        let code = self.code_of(&secret, 0);
        let confirmed = self.factors.confirm(&user, challenge.expose(), &code, &client()).await.unwrap();
        (secret, confirmed.recovery_codes.unwrap())
    }
}

/// The token of the only link of a kind among mails.
pub fn token_of(mails: &[Mail], kind: MailKind) -> String {
    let mut tokens = mails.iter().filter(|mail| mail.kind == kind).map(|mail| mail.content.get(Fact::Token).unwrap());
    let token = tokens.next().unwrap().to_owned();
    assert_eq!(tokens.next(), None, "one link");
    token
}
