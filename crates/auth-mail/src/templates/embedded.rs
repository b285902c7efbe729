//! The shipped templates.

/// The language that every template is shipped in.
pub(super) const LANGUAGE: &str = "en";

macro_rules! shipped {
    (emails { $($kind:literal,)* } shared { $($name:literal,)* }) => {
        /// Returns the shipped template with this name.
        pub(super) fn shipped(name: &str) -> Option<&'static str> {
            const SHIPPED: &[(&str, &str)] = &[
                $((concat!($kind, ".subject.txt"), include_str!(concat!("../../templates/en/", $kind, ".subject.txt"))),)*
                $((concat!($kind, ".txt"), include_str!(concat!("../../templates/en/", $kind, ".txt"))),)*
                $((concat!($kind, ".html"), include_str!(concat!("../../templates/en/", $kind, ".html"))),)*
                $(($name, include_str!(concat!("../../templates/en/", $name))),)*
            ];
            SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
        }
    };
}

shipped! {
    emails {
        "password_reset",
        "email_verification",
        "email_change",
        "email_change_requested",
        "email_changed",
        "second_factor_code",
        "password_changed",
        "second_factor_added",
        "second_factor_removed",
        "recovery_codes_replaced",
        "recovery_code_used",
        "session_reused",
    }
    shared { "layout.txt", "layout.html", "lifetime.txt", "method.txt", }
}
