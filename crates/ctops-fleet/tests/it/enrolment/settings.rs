//! The re-enrolment policy through the API.

use ctops_base::Role;
use serde_json::json;

use crate::support::App;

const PATH: &str = "/settings/enrolment";

/// Spec: hosts 24
#[tokio::test]
async fn policy_when_never_set_is_adopt_and_changes_for_one_organisation() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::OrgAdmin).await;
    assert_eq!(app.get(&admin, PATH).await.expect(200)["reenrolment_policy"], "adopt");
    let patch = async |body| app.send(Some(&admin), "PATCH", PATH, Some(body), [127, 0, 0, 1]).await;
    for policy in ["refuse", "adopt_after_approval"] {
        let set = patch(json!({"reenrolment_policy": policy})).await.expect(200);
        assert_eq!(set["reenrolment_policy"], policy);
    }
    assert_eq!(
        patch(json!({})).await.expect(200)["reenrolment_policy"],
        "adopt_after_approval",
        "nothing named"
    );
    assert_eq!(app.get(&stranger, PATH).await.expect(200)["reenrolment_policy"], "adopt");
    assert_eq!(
        app.audited(&app.org.to_string()).await,
        ["settings.enrolment.changed", "settings.enrolment.changed"]
    );
}

#[tokio::test]
async fn policy_when_unknown_is_refused_and_nothing_changes() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let patch = async |body| app.send(Some(&admin), "PATCH", PATH, Some(body), [127, 0, 0, 1]).await;
    assert_eq!(patch(json!({"reenrolment_policy": "trust_everybody"})).await.code(422), "validation_failed");
    assert_eq!(patch(json!({"name": "x"})).await.code(422), "unknown_field");
    assert_eq!(app.get(&admin, PATH).await.expect(200)["reenrolment_policy"], "adopt");
}
