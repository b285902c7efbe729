//! Enrolling, requiring and answering second factors.

use auth_accounts::account::LoginName;
use auth_accounts::email::{EmailKind, Fact};
use auth_accounts::password::RawPassword;
use auth_accounts::ports::KeyedHash as _;
use auth_accounts::second_factor::{Method, RecoveryCode, TOTP_STEP, TotpSecret, step_of};
use auth_accounts::service::{Enrolment, LoginOutcome, Reauthentication, SecondFactorChallenge};
use auth_core::time::Seconds;
use auth_core::token::ClientInfo;

use crate::{PlainSecret, TestService};

impl TestService {
    /// Enrols an authenticator for a user who has no second factor. Returns its secret and the recovery codes.
    ///
    /// The enrolment uses up the code of the current time step; call [`next_totp_step`](Self::next_totp_step) before a
    /// login.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
    /// use auth_conformance::TestService;
    /// use auth_core::token::ClientInfo;
    ///
    /// let service = TestService::new();
    /// service.register("alice").await;
    /// let (secret, _) = service.enrol_totp("alice").await;
    /// service.next_totp_step();
    /// let required = service.second_factor_challenge("alice").await;
    /// let code = service.totp_code(&secret, 0);
    /// service.logins.answer_challenge(required.challenge.expose(), &code, ClientInfo::default()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// If the enrolment is refused.
    pub async fn enrol_totp(&self, name: &str) -> (TotpSecret, Vec<RecoveryCode>) {
        let enrolment = self.enrol(name, Method::Totp).await;
        let Enrolment::Totp { challenge, secret, .. } = enrolment else {
            panic!("not an authenticator: {enrolment:?}")
        };
        let code = self.totp_code(&secret, 0);
        (secret, self.confirm(name, challenge.expose(), &code).await)
    }

    /// Enrols codes by email for a user who has no second factor. Returns the recovery codes.
    ///
    /// # Panics
    /// If the enrolment is refused, or the policy sends no emails.
    pub async fn enrol_email(&self, name: &str) -> Vec<RecoveryCode> {
        let enrolment = self.enrol(name, Method::Email).await;
        let Enrolment::Email(challenge) = enrolment else { panic!("not codes by email: {enrolment:?}") };
        self.confirm(name, challenge.expose(), &self.emailed_code()).await
    }

    /// Logs in with [`PASSWORD`](Self::PASSWORD). Returns the challenge for the second factor.
    ///
    /// # Panics
    /// If the login succeeds without a second factor, or is refused.
    pub async fn second_factor_challenge(&self, name: &str) -> SecondFactorChallenge {
        self.challenged(name, Self::PASSWORD).await
    }

    /// Like [`second_factor_challenge`](Self::second_factor_challenge), with this password.
    ///
    /// # Panics
    /// As for [`second_factor_challenge`](Self::second_factor_challenge).
    pub async fn challenged(&self, name: &str, password: &str) -> SecondFactorChallenge {
        let username = LoginName::Username(name.to_owned());
        match self.logins.login(&username, &RawPassword::new(password), ClientInfo::default()).await {
            Ok(LoginOutcome::SecondFactorRequired(challenge)) => challenge,
            other => panic!("not asked for a second factor: {other:?}"),
        }
    }

    /// The code in the newest email of the outbox that contains one.
    ///
    /// # Panics
    /// If there is no such email.
    pub fn emailed_code(&self) -> String {
        self.enqueued_fact(EmailKind::SecondFactorCode, Fact::Code)
    }

    /// The code that an authenticator shows `steps` time steps from now.
    ///
    /// Computed with the default [`PlainSecret`], whose seed does not matter here.
    ///
    /// # Panics
    /// If that time step is before 1970.
    pub fn totp_code(&self, secret: &TotpSecret, steps: i64) -> String {
        let step = step_of(self.now()).checked_add_signed(steps).expect("a time step after 1970");
        // Not the application secret of the services, which may count its calls.
        format!("{:06}", PlainSecret::default().hotp(secret.expose(), step) % 1_000_000)
    }

    /// Moves the clock forward by one time step of authenticators.
    pub fn next_totp_step(&self) {
        self.clock.advance(Seconds::new(TOTP_STEP.unsigned_abs()));
    }

    async fn enrol(&self, name: &str, method: Method) -> Enrolment {
        let shown = Reauthentication {
            password: RawPassword::new(Self::PASSWORD),
            answer: None,
            client: ClientInfo::default(),
        };
        let enrolment = self.second_factors.enrol(&self.user(name).await, method, shown).await;
        enrolment.unwrap_or_else(|error| panic!("cannot enrol {method:?} for {name:?}: {error:?}"))
    }

    async fn confirm(&self, name: &str, challenge: &str, code: &str) -> Vec<RecoveryCode> {
        let user = self.user(name).await;
        let confirmed = self.second_factors.confirm(&user, challenge, code, &ClientInfo::default()).await;
        let confirmed = confirmed.unwrap_or_else(|error| panic!("cannot confirm a factor of {name:?}: {error:?}"));
        confirmed.recovery_codes.expect("recovery codes with the first second factor")
    }
}
