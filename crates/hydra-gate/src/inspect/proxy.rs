//! What becomes of each request of one inspected connection.

use super::{
    Host,
    body::{Given, Sent},
    judge::{judge, may_have_a_body, passed},
};
use crate::{
    events::{Refused, Usage},
    gate::Gate,
    model::denied,
    quiet::Quiet,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full};
use hydra_core::egress::DenyReason;
use hyper::body::{Body as _, Incoming};
use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

type Answer = Response<Either<Full<Bytes>, Given>>;

/// One connection of an agent's to an inspected host.
pub(crate) struct Passage {
    gate: Arc<Gate>,
    host: Arc<Host>,
    dialled: SocketAddr,
    usage: Arc<Usage>,
    /// More was sent than may be.
    over: Arc<AtomicBool>,
}

impl Passage {
    pub(super) fn new(gate: &Arc<Gate>, host: &Arc<Host>, dialled: SocketAddr) -> Self {
        let usage = gate.events.usage(&gate.line(&host.name));
        usage.connections.fetch_add(1, Ordering::Relaxed);
        Self { gate: Arc::clone(gate), host: Arc::clone(host), dialled, usage, over: Arc::default() }
    }

    /// The connection is over.
    pub(super) fn end(&self) {
        if self.over.swap(false, Ordering::Relaxed) {
            self.refuse(DenyReason::LimitBytes, self.host.name.as_str());
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (mut head, body) = request.into_parts();
        if let Err((reason, what)) = judge(&self.host, &head) {
            self.refuse(reason, &what);
            let status = if reason == DenyReason::InspectHostMismatch {
                StatusCode::MISDIRECTED_REQUEST
            } else {
                StatusCode::FORBIDDEN
            };
            return refusal(status, reason, &what);
        }
        if !body.is_end_stream() && !may_have_a_body(&head) {
            let what = format!("{} {}{} with a body", head.method, self.host.name, head.uri.path());
            self.refuse(DenyReason::InspectMethod, &what);
            return refusal(StatusCode::BAD_REQUEST, DenyReason::InspectMethod, &what);
        }
        // A name and its value carry as well as a body does.
        let carried = weight(&head);
        if self.usage.up.fetch_add(carried, Ordering::Relaxed).saturating_add(carried) > self.gate.limits.bytes_up {
            self.refuse(DenyReason::LimitBytes, self.host.name.as_str());
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, DenyReason::LimitBytes, self.host.name.as_str());
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("https://{}{path}", self.host.name).parse() else {
            return refusal(StatusCode::BAD_REQUEST, DenyReason::InspectMethod, path);
        };
        head.uri = uri;
        head.version = Version::HTTP_11;
        head.headers = passed(&head.headers);
        if let Some(credential) = &self.host.credential {
            // What the agent holds of its own is not this host's affair.
            head.headers.remove(header::COOKIE);
            head.headers.insert(header::AUTHORIZATION, credential.clone());
        }
        head.extensions.clear();
        // So many at a time have a connection to the host; the others wait.
        let Ok(place) = Arc::clone(&self.host.places).acquire_owned().await else {
            return failure("the gate ends");
        };
        let quiet = Duration::from_millis(self.gate.limits.quiet_millis.into());
        let sent = Sent {
            body,
            usage: Arc::clone(&self.usage),
            most: self.gate.limits.bytes_up,
            over: Arc::clone(&self.over),
            quiet: Quiet::new(quiet),
        };
        let Ok(answer) = timeout(quiet, self.host.client.request(Request::from_parts(head, sent))).await else {
            return failure(&format!("the host has not answered within {} s", quiet.as_secs()));
        };
        match answer {
            Ok(answer) if answer.status() != StatusCode::SWITCHING_PROTOCOLS => {
                let (head, body) = answer.into_parts();
                let usage = Arc::clone(&self.usage);
                let given = Given { body, usage, _place: place, quiet: Quiet::new(quiet) };
                let mut given = Response::new(Either::Right(given));
                *given.status_mut() = head.status;
                *given.headers_mut() = passed(&head.headers);
                given
            }
            Ok(_) => failure("the host speaks another protocol than it was asked in"),
            Err(error) => self.failed(&error),
        }
    }

    /// The host was not asked, or not to its end.
    fn failed(&self, error: &(dyn Error + 'static)) -> Answer {
        let name = self.host.name.as_str();
        if self.over.swap(false, Ordering::Relaxed) {
            self.refuse(DenyReason::LimitBytes, name);
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, DenyReason::LimitBytes, name);
        }
        match denied(error) {
            Some(reason) => {
                self.refuse(reason, name);
                refusal(StatusCode::FORBIDDEN, reason, name)
            }
            None => failure("the host cannot be reached, or broke off"),
        }
    }

    fn refuse(&self, reason: DenyReason, what: &str) {
        let refused = Refused::at(self.dialled).host(what).sni(self.host.name.as_str());
        self.gate.events.denied(reason, refused);
    }
}

/// Bytes of a request's head: what it is asked for and with.
fn weight(head: &http::request::Parts) -> u64 {
    let path = head.uri.path_and_query().map_or(1, |path| path.as_str().len());
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    (head.method.as_str().len() + path + fields.sum::<usize>()) as u64
}

fn refusal(status: StatusCode, reason: DenyReason, what: &str) -> Answer {
    told(status, &crate::refusal::document(reason, what))
}

fn failure(message: &str) -> Answer {
    told(StatusCode::BAD_GATEWAY, &serde_json::json!({ "error": { "type": "bad_gateway", "message": message } }))
}

fn told(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body.to_string()))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
