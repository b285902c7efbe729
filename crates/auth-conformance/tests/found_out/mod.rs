//! Codes, passwords, addresses, second factors, limits and mails: which case finds which defect.

mod codes;
mod credentials;
mod mails;
mod throttle;
