//! Who a token belongs to, asked once.

use crate::{
    client::{Client, call},
    convert,
    graphql::{at, label},
    queries, wire,
};
use http::Method;
use hydra_core::{
    ports::ForgeError,
    view::{IdentityView, TokenKind},
};
use serde_json::json;

impl Client {
    /// The token's identity; an error is not remembered.
    pub(crate) async fn who(&self) -> Result<IdentityView, ForgeError> {
        self.identity.get_or_try_init(|| self.ask_who()).await.cloned()
    }

    /// The identity as GitHub tells it now.
    pub(crate) async fn ask_who(&self) -> Result<IdentityView, ForgeError> {
        let kind = self.kind();
        if kind == TokenKind::Installation {
            // `GET /user` is closed to installations.
            let call = label(queries::VIEWER);
            let viewer: wire::User = at(&call, &self.query(queries::VIEWER, json!({})).await?, "/viewer")?;
            let login = convert::id(&call, &viewer.login)?;
            return Ok(IdentityView { login, kind, expires_at: None, scopes: Vec::new() });
        }
        let url = self.url(&["user"]);
        let call = call(&Method::GET, &url);
        let reply = self.fetch(&url).await?;
        let user: wire::User = reply.json(&call)?;
        let header = |name: &str| reply.headers.get(name).and_then(|v| v.to_str().ok());
        let scopes = header("x-oauth-scopes").unwrap_or_default();
        Ok(IdentityView {
            login: convert::id(&call, &user.login)?,
            kind,
            expires_at: header("github-authentication-token-expiration").and_then(convert::expiry),
            scopes: scopes.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect(),
        })
    }
}
