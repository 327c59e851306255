//! The support bundle: one JSON document with what support asks for first. It goes through the same net as the audit
//! trail, and keys that are free text of people are left out.

use ctops_base::Problem;
use ctops_slice::audit::{self, AuditEvent, redact};
use ctops_slice::flags::{self, FLAGS};
use ctops_slice::settings::{Document, KeyKind, PageInfo};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};

use super::SYSTEM_READ;
use super::http::HealthBody;
use super::service::{self, Health};
use crate::Deps;
use crate::settings::{Pages, stored_values};

/// Makes the bundle.
pub(super) async fn make(
    state: &AppState,
    deps: &Deps,
    pages: &Pages,
    actor: &Actor,
) -> Result<Value, Problem> {
    let grant = actor.grant(&SYSTEM_READ)?;
    let health = service::health(state, deps, pages, actor).await?;
    let settings = stored_values(&state.pool, &grant, pages).await?;
    let mut turned = Document::new();
    for flag in FLAGS {
        let on = flags::is_on(&state.pool, grant.org_id(), flag).await?;
        turned.insert(flag.key.to_owned(), Value::Bool(on));
    }
    let configuration = configuration(&health);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let event = AuditEvent::by_actor(actor, "integration.support_bundle_made", "organisation")
        .on(grant.org_id())
        .summary("made a support bundle");
    audit::append(&mut tx, &event, health.at).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    let health = serde_json::to_value(HealthBody::from(health)).map_err(Problem::internal)?;
    Ok(redact_all(&json!({
        "format": "ct-ops-support-bundle",
        "version": 1,
        "health": health,
        "configuration": configuration,
        "feature_flags": turned,
        "settings": without_free_text(settings, pages),
    })))
}

/// Lines such as `NAME=value (origin)`; the program masks its secrets itself.
fn configuration(health: &Health) -> Value {
    health.facts.configuration.iter().map(|line| Value::String(line.clone())).collect()
}

/// People write anything into long texts, also what they should not.
fn without_free_text(mut settings: Document, pages: &Pages) -> Document {
    let long = |info: &PageInfo| {
        let keys = info.keys.iter().filter(|key| matches!(key.kind, KeyKind::LongText { .. }));
        keys.map(|key| key.name).collect::<Vec<_>>()
    };
    for (page, keys) in pages.infos().map(|info| (info.name, long(info))) {
        let Some(Value::Object(values)) = settings.get_mut(page) else { continue };
        for key in keys {
            let length = values.get(key).and_then(Value::as_str).map_or(0, str::len);
            values.insert(key.to_owned(), json!(format!("[{length} bytes]")));
        }
    }
    settings
}

/// Member by member, because the net shortens long members.
fn redact_all(bundle: &Value) -> Value {
    match bundle {
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), redact_member(name, member))).collect()
        }
        other => redact::value(other),
    }
}

fn redact_member(name: &str, member: &Value) -> Value {
    match member {
        Value::Array(items) => items.iter().map(|item| redact_member(name, item)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), redact_member(name, member))).collect()
        }
        leaf => {
            let named = Value::Object([(name.to_owned(), leaf.clone())].into_iter().collect());
            redact::value(&named).get(name).cloned().unwrap_or_default()
        }
    }
}
