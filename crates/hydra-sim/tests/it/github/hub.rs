//! A simulator with an organisation, a repository, people and tokens, and a client that hides nothing.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hydra_sim::github::{Access, RepoSeed, Role, Sim, SimConfig, Token};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

/// Writes everything that a machine account of Hydra writes.
pub(crate) const BUILDER: &str = "github_pat_builder";
/// A person's classic token.
pub(crate) const ALICE: &str = "ghp_alice";
/// May read code and issues, write none.
pub(crate) const READER: &str = "github_pat_reader";
/// The installation token of an App.
pub(crate) const APP: &str = "ghs_app";
pub(crate) const REPO: &str = "acme/app";

pub(crate) struct Hub {
    pub(crate) sim: Sim,
    client: Client<HttpConnector, Full<Bytes>>,
}

#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Hub {
    pub(crate) async fn new() -> Self {
        Self::with(SimConfig { record: true, ..SimConfig::default() }).await
    }

    pub(crate) async fn with(config: SimConfig) -> Self {
        let sim = Sim::start(config).await.unwrap();
        sim.org("acme");
        sim.repo(
            RepoSeed::new(REPO)
                .file("README.md", "# App\n\nIt counts words.\n")
                .file("src/count.txt", "one\ntwo\nthree\n")
                .file("test.sh", "#!/bin/sh\ngrep -q two src/count.txt\n")
                .role("alice", Role::Admin)
                .role("builder", Role::Write)
                .role("triager", Role::Triage)
                .role("reader", Role::Read)
                .label("ready-to-build", "0e8a16", "Build this"),
        )
        .unwrap();
        sim.token(Token::fine_grained(BUILDER, "builder").allow_work());
        sim.token(Token::classic(ALICE, "alice", &["repo", "project", "workflow"]));
        let reader = Token::fine_grained(READER, "reader").allow("issues", Access::Read);
        sim.token(reader.allow("contents", Access::Read).allow("pull_requests", Access::Read));
        let app = Token::installation(APP, "hydra[bot]").only(&[REPO]).allow_work();
        sim.token(app.allow("checks", Access::Write));
        Self { sim, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// A request; an error is a connection that was dropped.
    pub(crate) async fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Got, hyper_util::client::legacy::Error> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.sim.base_url()));
        request = request.header("user-agent", "hub").header("accept", "application/vnd.github+json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map_or_else(Bytes::new, |b| Bytes::from(b.to_string()));
        let answer = self.client.request(request.body(Full::new(bytes)).unwrap()).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Got {
        self.send(token, "GET", path, None, &[]).await.unwrap()
    }

    pub(crate) async fn call(&self, token: &str, method: &str, path: &str, body: Value) -> Got {
        let body = (!body.is_null()).then_some(body);
        self.send(token, method, path, body, &[]).await.unwrap()
    }

    /// A call that must end with this status.
    pub(crate) async fn expect(&self, status: u16, token: &str, method: &str, path: &str, body: Value) -> Value {
        let got = self.call(token, method, path, body).await;
        assert_eq!(got.status, status, "{method} {path}: {}", String::from_utf8_lossy(&got.body));
        got.json()
    }

    /// A GraphQL call: the whole answer.
    pub(crate) async fn graphql(&self, token: &str, query: &str, variables: Value) -> Value {
        let got = self.call(token, "POST", "/graphql", json!({ "query": query, "variables": variables })).await;
        assert_eq!(got.status, 200, "{}", String::from_utf8_lossy(&got.body));
        got.json()
    }

    /// A branch with one changed file, and a draft pull request from it.
    pub(crate) async fn draft(&self, branch: &str) -> u64 {
        self.sim
            .push(REPO, branch, "builder", "Count four", &[("src/count.txt", Some("one\ntwo\nthree\nfour\n"))])
            .unwrap();
        let body =
            json!({ "title": "Count four", "body": "It counts.", "head": branch, "base": "main", "draft": true });
        self.expect(201, BUILDER, "POST", "/repos/acme/app/pulls", body).await["number"].as_u64().unwrap()
    }
}
