//! Letters as their recipients read them.

use ctops_slice::mail::{Letter, seal_name};
use uuid::Uuid;

use crate::support::App;

/// All letters of a kind, oldest first.
pub(crate) async fn letters(app: &App, kind: &str) -> Vec<Letter> {
    let rows: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as("SELECT id, sealed FROM mail_outbox WHERE kind = $1 ORDER BY id")
            .bind(kind)
            .fetch_all(app.db.pool())
            .await
            .unwrap();
    let open = |(id, sealed): (Uuid, Vec<u8>)| {
        serde_json::from_slice(&app.state.seal.open(&seal_name(id), &sealed).unwrap()).unwrap()
    };
    rows.into_iter().map(open).collect()
}

/// Recipients of all letters of a kind, oldest first.
pub(crate) async fn recipients(app: &App, kind: &str) -> Vec<String> {
    letters(app, kind).await.into_iter().map(|letter| letter.to).collect()
}

/// The page and the token of the newest link of a kind.
pub(crate) async fn link(app: &App, kind: &str) -> (String, String) {
    let newest = letters(app, kind).await.pop().unwrap();
    let link = newest.link.unwrap();
    let (page, token) = link.split_once('#').unwrap();
    (page.to_owned(), token.to_owned())
}

/// The token of the newest link of a kind.
pub(crate) async fn token(app: &App, kind: &str) -> String {
    link(app, kind).await.1
}
