//! Showing and turning flags.

use std::collections::BTreeMap;

use ctops_base::{FieldProblem, Problem, ProblemKind};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::flags::{self, FLAGS, Flag};
use ctops_slice::settings::{SETTINGS_READ, SETTINGS_WRITE};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};

use super::store::{self, Turned};

/// A flag with how it was turned before and after.
type Change = (&'static Flag, Option<bool>, Option<bool>);

/// What a person sees.
pub(super) struct View {
    /// Flags with who turned them, if anybody did.
    pub(super) flags: Vec<(&'static Flag, Option<Turned>)>,
    /// Stored flags that the program does not declare; they are off.
    pub(super) unknown: Vec<String>,
}

/// Public flags for everybody, all of them and the unknown ones for those who see settings.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<View, Problem> {
    let turned = store::turned(&state.pool, actor.org_id).await.map_err(Problem::internal)?;
    let sees_all = actor.grant(&SETTINGS_READ).is_ok();
    let of = |flag: &'static Flag| {
        let turned = turned.iter().find(|turned| turned.key == flag.key && flag.configurable);
        (flag, turned.cloned())
    };
    let flags = FLAGS.into_iter().filter(|flag| sees_all || flag.public).map(of).collect();
    let unknown = turned.iter().filter(|turned| sees_all && flags::by_key(&turned.key).is_none());
    Ok(View { flags, unknown: unknown.map(|turned| turned.key.clone()).collect() })
}

/// Turns flags; `null` takes one back to its default.
pub(super) async fn turn(
    state: &AppState,
    actor: &Actor,
    wanted: &BTreeMap<String, Option<bool>>,
) -> Result<View, Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    let wanted = known(wanted)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let turned = store::turned(&mut *tx, actor.org_id).await.map_err(Problem::internal)?;
    let before = |flag: &Flag| turned.iter().find(|turned| turned.key == flag.key).map(|turned| turned.value);
    let changes: Vec<Change> = wanted
        .into_iter()
        .map(|(flag, value)| (flag, before(flag), value))
        .filter(|(_, a, b)| a != b)
        .collect();
    let now = state.clock.now();
    let forgotten: Vec<&str> = changes.iter().filter(|c| c.2.is_none()).map(|c| c.0.key).collect();
    let (keys, values): (Vec<&str>, Vec<bool>) =
        changes.iter().filter_map(|(flag, _, value)| Some((flag.key, (*value)?))).unzip();
    store::forget(&mut tx, &grant, &forgotten).await.map_err(Problem::internal)?;
    store::turn(&mut tx, &grant, (&keys, &values), (actor.user_id, now)).await.map_err(Problem::internal)?;
    if !changes.is_empty() {
        let side = |value: fn(&Change) -> Option<bool>| -> Value {
            changes.iter().map(|c| (c.0.key.to_owned(), json!(value(c).unwrap_or(c.0.default)))).collect()
        };
        let event = AuditEvent::by_actor(actor, "feature_flag.changed", "feature_flag")
            .on(changes[0].0.key)
            .summary(format!("turned {} feature flags", changes.len()))
            .change(Some(side(|c| c.1)), Some(side(|c| c.2)));
        audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    list(state, actor).await
}

fn known(wanted: &BTreeMap<String, Option<bool>>) -> Result<Vec<(&'static Flag, Option<bool>)>, Problem> {
    let find = |(key, value): (&String, &Option<bool>)| {
        let flag = flags::by_key(key).filter(|flag| flag.configurable);
        flag.map(|flag| (flag, *value)).ok_or_else(|| {
            let message = "is not a flag that can be turned".to_owned();
            let field = FieldProblem { path: key.clone(), code: "unknown_field", message };
            Problem::new(ProblemKind::Invalid, "unknown_field", format!("unknown flag {key:?}"))
                .with_fields(vec![field])
        })
    };
    wanted.iter().map(find).collect()
}
