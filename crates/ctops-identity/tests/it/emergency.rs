//! What the operator does on the server's own machine when nobody can sign in.

use ctops_identity::passwords::Secret;
use ctops_identity::users::{clear_second_factor, create_super_admin, promote_super_admin, unlock_account};

use crate::support::{App, EMAIL, PASSWORD, get};

/// Spec: users-teams-rbac 8
#[tokio::test]
async fn operator_creates_and_promotes_super_admins_when_none_is_left() {
    let (app, _) = App::set_up().await;
    app.execute("UPDATE memberships SET state = 'removed'").await;
    app.add_member("bob@example.com", &["read_only"]).await;
    app.execute("UPDATE users SET active = false, email_verified_at = NULL WHERE email LIKE 'bob%'").await;
    assert_eq!(
        app.login(EMAIL, PASSWORD, "203.0.113.1").await.status.as_u16(),
        401,
        "no promotion by itself"
    );
    let (pool, clock) = (app.db.pool(), &app.clock);
    promote_super_admin(pool, clock, "Bob@example.com", None).await.unwrap();
    let bob = app.login("bob@example.com", PASSWORD, "203.0.113.2").await.browser();
    let me = app.send(get("/me").with(&bob)).await;
    assert_eq!(me.body["roles"], serde_json::json!(["read_only", "super_admin"]));
    let made = create_super_admin(pool, clock, &app.passwords, ("eve@example.com", "Eve"), None, None)
        .await
        .unwrap();
    let password = made.password.unwrap();
    assert_eq!(app.login("eve@example.com", &password, "203.0.113.3").await.status.as_u16(), 200);
    let own = Some(Secret::new("a password of her own"));
    let again = create_super_admin(pool, clock, &app.passwords, ("eve@example.com", "Eve"), None, own).await;
    assert_eq!(again.err().unwrap().code(), "conflict");
    let weak = Some(Secret::new("short"));
    let weak = create_super_admin(pool, clock, &app.passwords, ("x@example.com", "Xa"), None, weak).await;
    assert_eq!(weak.err().unwrap().fields()[0].path, "password");
    assert_eq!(
        promote_super_admin(pool, clock, "nobody@example.com", None).await.unwrap_err().code(),
        "not_found"
    );
    assert_eq!(
        promote_super_admin(pool, clock, EMAIL, Some("elsewhere")).await.unwrap_err().code(),
        "not_found"
    );
    let kinds: i64 = app.count("SELECT count(*) FROM audit_events WHERE actor_kind = 'support_cli'").await;
    assert_eq!(kinds, 2);
}

#[tokio::test]
async fn operator_unlocks_an_account_and_clears_its_second_factors() {
    let (app, _) = App::set_up().await;
    for n in 0..5 {
        app.login(EMAIL, "not the password", &format!("198.51.100.{n}")).await;
    }
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.1").await.status.as_u16(), 429);
    unlock_account(app.db.pool(), &app.clock, EMAIL).await.unwrap();
    assert_eq!(app.login(EMAIL, PASSWORD, "203.0.113.2").await.status.as_u16(), 200);
    clear_second_factor(app.db.pool(), &app.clock, EMAIL).await.unwrap();
    for command in ["auth.login.unlocked", "auth.mfa.reset"] {
        assert!(app.audit().await.iter().any(|action| action == command), "{command}");
    }
    assert_eq!(unlock_account(app.db.pool(), &app.clock, "x@y.z").await.unwrap_err().code(), "not_found");
    assert_eq!(
        clear_second_factor(app.db.pool(), &app.clock, "x@y.z").await.unwrap_err().code(),
        "not_found"
    );
}
