//! The letters about addresses.

use ctops_slice::AppState;
use ctops_slice::mail::Mail;
use uuid::Uuid;

use super::model::{AddressOf, Link};

/// The link that proves an address. `changes` when the account has another one until then.
pub(super) fn link(state: &AppState, link: &Link<'_>, token: &str, changes: bool) -> Mail {
    let (subject, what) = if changes {
        (
            "Confirm your new e-mail address for CT-Ops",
            "Open the link to make this the e-mail address of your account",
        )
    } else {
        (
            "Verify your e-mail address for CT-Ops",
            "Open the link to verify the e-mail address of your account",
        )
    };
    let otherwise = match (changes, link.of) {
        (true, _) => "If it was not you, ignore this letter: nothing changes.",
        (false, AddressOf::Registration(_)) => {
            "If it was not you, ignore this letter: there will be no account."
        }
        (false, AddressOf::Account(_)) => "If you have no such account, ignore this letter.",
    };
    Mail {
        org_id: Some(link.org_id),
        to: link.email.to_owned(),
        kind: if changes { "change_email" } else { "verify_email" },
        subject: subject.to_owned(),
        text: format!("{what} at {}. It works once and for 24 hours. {otherwise}", link.organisation),
        link: Some(address(state, link.redirect, token)),
    }
}

/// The token stands behind the hash sign, so that it gets into no log of a server or proxy.
fn address(state: &AppState, redirect: Option<&str>, token: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(path) = redirect {
        query.append_pair("redirect", path);
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}/verify-email{mark}{query}#{token}", state.installation.public_url)
}

/// Tells the old address that somebody asked for another one (auth 11).
pub(super) fn change_asked(state: &AppState, org_id: Uuid, old: &str) -> Mail {
    Mail {
        org_id: Some(org_id),
        to: old.to_owned(),
        kind: "email_change_asked",
        subject: "Your CT-Ops account is about to get another e-mail address".to_owned(),
        text: "Somebody who is signed in to your account wants another e-mail address for it. It takes effect when the link \
               that was sent there is opened. If it was not you, change your password at once and withdraw the change in \
               your profile."
            .to_owned(),
        link: Some(format!("{}/account/profile", state.installation.public_url)),
    }
}

/// Tells the old address that it is not that of the account any more (auth 11).
pub(super) fn changed(org_id: Uuid, old: &str, new: &str) -> Mail {
    Mail {
        org_id: Some(org_id),
        to: old.to_owned(),
        kind: "email_changed",
        subject: "Your CT-Ops account has another e-mail address".to_owned(),
        text: format!(
            "The e-mail address of your account is {new} now. Sign in with it; this address gets no more letters. If it was \
             not you, tell your administrator at once."
        ),
        link: None,
    }
}

/// Tells the owner of an address that somebody else's account was to get it.
pub(super) fn address_taken(org_id: Uuid, email: &str) -> Mail {
    Mail {
        org_id: Some(org_id),
        to: email.to_owned(),
        kind: "email_taken",
        subject: "This e-mail address belongs to a CT-Ops account".to_owned(),
        text: "Somebody wanted to make this the e-mail address of another account. It stays with yours. If it was you, change \
               the address of this account first."
            .to_owned(),
        link: None,
    }
}
