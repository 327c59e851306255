//! Second factors that identity providers assert: they count where the organisation says so, and nowhere else.

use ctops_base::Role;
use ctops_testkit::a_clock;
use serde_json::json;

use crate::oidc::Journey;
use crate::openid_provider::Setup;
use crate::saml_provider::Trust;
use crate::support::{Answer, App};

const MFA_CONTEXT: &str = "https://refeds.org/profile/mfa";

/// Gives everybody who signed in through a provider an authenticator app.
async fn enrol(app: &App) {
    sqlx::query(
        "INSERT INTO totp_seeds (user_id, seed_sealed, created_at, enrolled_at)
         SELECT user_id, 'sealed', linked_at, linked_at FROM external_identities",
    )
    .execute(app.db.pool())
    .await
    .unwrap();
}

/// Status and code of a request that only members with everything in order may make.
async fn admitted(app: &App, answer: &Answer) -> (u16, String) {
    app.send(&answer.cookie("__Host-ctops_session"), "GET", "/identity-providers", None).await.refusal()
}

fn must_enrol() -> (u16, String) {
    (403, "mfa_enrolment_required".to_owned())
}

fn in_order() -> (u16, String) {
    (200, String::new())
}

/// Spec: auth 18
#[tokio::test]
async fn openid_providers_second_factor_exempts_from_enrolment_when_the_administrator_enables_that() {
    let mut journey = Journey::new(Setup::default(), json!({"default_role": "org_admin"})).await;
    journey.app.set_authentication(json!({"require_two_factor": true})).await;
    assert_eq!(admitted(&journey.app, &journey.complete().await).await, must_enrol(), "off unless enabled");
    let both = json!({"require_two_factor": true, "idp_second_factor_counts": true});
    journey.app.set_authentication(both).await;
    assert_eq!(admitted(&journey.app, &journey.complete().await).await, in_order());
    for amr in [vec!["pwd"], vec!["otp"], vec![]] {
        journey.provider.know(&Setup { amr: amr.clone(), ..Setup::default() });
        let answer = journey.complete().await;
        assert_eq!(admitted(&journey.app, &answer).await, must_enrol(), "{amr:?} asserts no second factor");
    }
}

/// Spec: auth 18
#[tokio::test]
async fn saml_context_exempts_from_enrolment_when_it_is_listed_and_the_administrator_enables_that() {
    for (listed, counts, expected) in [
        (vec![MFA_CONTEXT], true, in_order()),
        (vec![MFA_CONTEXT], false, must_enrol()),
        (vec!["urn:other"], true, must_enrol()),
        (vec![], true, must_enrol()),
    ] {
        let app = App::with_clock(a_clock()).await;
        let more = json!({"default_role": "org_admin", "trust_email": true, "saml": {"second_factor_contexts": listed}});
        let trust = Trust::new(app, more).await;
        let settings = json!({"require_two_factor": true, "idp_second_factor_counts": counts});
        trust.app.set_authentication(settings).await;
        assert_eq!(admitted(&trust.app, &trust.sign_in().await).await, expected, "{listed:?} {counts}");
    }
}

/// Spec: auth 18, 19
#[tokio::test]
async fn somebody_with_an_app_of_their_own_is_asked_for_it_unless_the_providers_factor_counts() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    journey.complete().await.cookie("__Host-ctops_session");
    enrol(&journey.app).await;
    let waiting = journey.complete().await;
    assert!(waiting.location().starts_with("/login?step=second_factor"), "{}", waiting.location());
    assert!(waiting.cookies().iter().all(|cookie| !cookie.starts_with("__Host-ctops_session=")));
    journey.app.set_authentication(json!({"idp_second_factor_counts": true})).await;
    let answer = journey.complete().await;
    assert_eq!(answer.location(), "/");
    journey.app.me(&answer.cookie("__Host-ctops_session")).await;
}

/// The switch is about identity providers; a session of somebody else is not touched by it.
/// Spec: auth 18
#[tokio::test]
async fn sessions_that_began_with_a_password_must_enrol_all_the_same() {
    let app = App::new().await;
    app.set_authentication(json!({"require_two_factor": true, "idp_second_factor_counts": true})).await;
    let admin = app.person(Role::OrgAdmin).await;
    assert_eq!(app.send(&admin, "GET", "/identity-providers", None).await.refusal(), must_enrol());
}
