use chrono::TimeDelta;

use super::*;
use crate::agents::model::ClientCertificate;
use crate::agents::store::decisions::{
    activate, attach_host, find_for_decision, is_revoked, purge_ended, remove_claim, revoke,
    revoke_certificates, revoked_serials, store_certificate,
};

fn certificate(serial: &str, days: i64) -> ClientCertificate {
    ClientCertificate {
        pem: "pem".into(),
        serial: serial.into(),
        not_after: start_time() + TimeDelta::days(days),
    }
}

#[tokio::test]
async fn find_for_decision_names_the_agent_of_a_claimed_host_while_that_lives() {
    let f = Fixture::new().await;
    let owner = f.agent(named("web-1")).await;
    let claim = f.claim(named("web-1"), owner.host_id.unwrap()).await;
    assert_eq!(claim.claim, Some((owner.host_id.unwrap(), MatchedOn::Hostname)));
    let head = find_for_decision(f.db.pool(), &f.grant, &claim.id).await.unwrap().unwrap();
    assert_eq!(
        (head.id.as_str(), head.claimed_agent_id.as_deref()),
        (claim.id.as_str(), Some(owner.id.as_str()))
    );
    let mut tx = f.begin().await;
    hosts::soft_delete(&mut tx, owner.host_id.unwrap(), None, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let head = find_for_decision(f.db.pool(), &f.grant, &claim.id).await.unwrap().unwrap();
    assert_eq!(head.claimed_agent_id, None);
    let stranger = Fixture::new().await;
    assert!(find_for_decision(f.db.pool(), &stranger.grant, &claim.id).await.unwrap().is_none());
}

#[tokio::test]
async fn activate_attach_host_remove_claim_and_revoke_change_what_they_say() {
    let f = Fixture::new().await;
    let owner = f.agent(named("web-1")).await;
    let claim = f.claim(named("web-2"), owner.host_id.unwrap()).await;
    let mut tx = f.begin().await;
    activate(&mut tx, &owner.id, Some(f.user), start_time()).await.unwrap();
    let host = NewHost {
        id: new_id(),
        org_id: f.org,
        identity: HostIdentity { hostname: "web-2".into(), ..HostIdentity::default() },
        status: HostStatus::Pending,
    };
    hosts::create(&mut tx, &host, start_time()).await.unwrap();
    attach_host(&mut tx, &claim.id, host.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.status(&owner.id).await, AgentStatus::Active);
    let attached = by_key(f.db.pool(), &claim.key_sha256).await.unwrap().unwrap();
    assert_eq!((attached.host_id, attached.claim), (Some(host.id), None));
    let mut tx = f.begin().await;
    revoke(&mut tx, &owner.id).await.unwrap();
    remove_claim(&mut tx, &claim.id, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.status(&owner.id).await, AgentStatus::Revoked);
    assert!(by_key(f.db.pool(), &claim.key_sha256).await.unwrap().is_none());
}

/// Spec: agents-enrolment 16
#[tokio::test]
async fn revoke_certificates_takes_all_that_still_live_and_is_safe_to_repeat() {
    let f = Fixture::new().await;
    let (agent, other) = (f.agent(named("a")).await, f.agent(named("b")).await);
    let mut tx = f.begin().await;
    for (id, serial, days) in
        [(&agent.id, "aa", -1), (&agent.id, "bb", 10), (&agent.id, "cc", 90), (&other.id, "dd", 90)]
    {
        store_certificate(&mut tx, id, &certificate(serial, days), start_time()).await.unwrap();
    }
    assert!(!is_revoked(&mut tx, "bb").await.unwrap());
    assert_eq!(revoke_certificates(&mut tx, &agent.id, "test", start_time()).await.unwrap(), 2);
    assert_eq!(revoke_certificates(&mut tx, &agent.id, "test", start_time()).await.unwrap(), 0);
    assert!(is_revoked(&mut tx, "bb").await.unwrap() && !is_revoked(&mut tx, "dd").await.unwrap());
    tx.commit().await.unwrap();
    let listed = revoked_serials(f.db.pool(), None, start_time()).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.serial.as_str()).collect::<Vec<_>>(), ["bb", "cc"]);
    let known = by_key(f.db.pool(), &agent.key_sha256).await.unwrap().unwrap();
    assert_eq!((known.certificate, known.certificate_is_revoked), (Some(certificate("cc", 90)), true));

    let later = start_time() + TimeDelta::days(50);
    assert_eq!(purge_ended(f.db.pool(), later).await.unwrap(), 3, "aa, bb and the revocation of bb");
    let kept = revoked_serials(f.db.pool(), None, later).await.unwrap();
    assert_eq!(kept.len(), 1);
}
