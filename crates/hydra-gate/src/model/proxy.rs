//! The model API as the agent sees it: plain HTTP, without a credential. What goes on is looked through, signed with an account of the
//! gate's, counted as it comes back, and moved to the next account when one is used up, before a byte of an answer has been given.

use super::{
    accounts::{Accounts, Says, kind_of_error, says},
    asked::{Asked, asked},
    budget::{Budget, Standing, UnderWay, prompt},
    counted::Counted,
    route::{Shape, forwarded, plain_query, returned, route, without_long_context},
    upstream::{Connector, Pooled, denied, no_answer, pooled},
    warning::warned,
};
use crate::events::{Events, Refused, Usage};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use hydra_core::{
    Timestamp,
    egress::{DenyReason, gate::ModelRoute},
};
use hyper::{
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

/// A request's body, at most, in bytes.
const MOST: usize = 32 * 1024 * 1024;
/// Requests whose bodies are held at a time.
const ROOM: usize = 8;
/// Bytes of an answer that forbids, at most: it is read before it is given.
const FORBIDS: usize = 64 * 1024;
/// Time for a request's body.
const BODY: Duration = Duration::from_secs(60);
/// Time for a request's head.
const HEAD: Duration = Duration::from_secs(15);

/// What the providers' clients look at before they ask again.
const AGAIN: &str = "x-should-retry";

type Answer = Response<Either<Full<Bytes>, Counted>>;

/// What every request of one job shares.
pub(crate) struct Model {
    pub(crate) route: ModelRoute,
    pub(crate) accounts: Accounts,
    pub(crate) budget: Arc<Budget>,
    room: Semaphore,
    client: Pooled<Full<Bytes>>,
    /// Nothing comes for so long, at most.
    quiet: Duration,
}

impl Model {
    pub(crate) fn new(
        route: ModelRoute,
        accounts: Accounts,
        budget: Budget,
        connector: Connector,
        quiet: Duration,
    ) -> Self {
        Self { route, accounts, budget: Arc::new(budget), room: Semaphore::new(ROOM), client: pooled(connector), quiet }
    }

    /// One connection of the agent's.
    pub(crate) async fn serve(&self, events: &Events, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let dialled = stream.local_addr()?;
        let usage = events.usage(&self.route.upstream.endpoint.to_string());
        let answer = |request| async {
            let refused = |reason, what: &str| events.denied(reason, Refused::at(dialled).host(what));
            Ok::<_, Infallible>(self.answer(request, events, &usage, &refused).await)
        };
        let server = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(256 * 1024)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        server.await.map_err(io::Error::other)
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        events: &Events,
        usage: &Arc<Usage>,
        refused: &(dyn Fn(DenyReason, &str) + Sync),
    ) -> Answer {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let path = head.uri.path();
        let may = |shape: &Shape| {
            self.route.apis.contains(&shape.api()) && head.uri.authority().is_none() && plain_query(query)
        };
        let shape = route(&head.method, path).filter(may);
        let Some(shape) = shape else {
            refused(DenyReason::InspectMethod, &format!("{} {path}", head.method));
            return error(
                StatusCode::FORBIDDEN,
                "permission_error",
                "this job may ask its model, and nothing else of this API",
            );
        };
        let too_large = || {
            refused(DenyReason::LimitBytes, path);
            error(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "at most 32 MiB are taken")
        };
        if body.size_hint().lower() > MOST as u64 {
            return too_large();
        }
        // So many bodies at a time as there is memory for; each has its time.
        let Ok(_room) = self.room.acquire().await else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "api_error", "the gate ends");
        };
        let Ok(body) = timeout(BODY, Limited::new(body, MOST).collect()).await else {
            return error(StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "the request did not come to its end");
        };
        let body = match body {
            Ok(body) => body.to_bytes(),
            Err(cause) if cause.is::<LengthLimitError>() => return too_large(),
            Err(_) => return error(StatusCode::BAD_REQUEST, "invalid_request_error", "the request broke off"),
        };
        if let Err(what) = self.may_ask(shape, path, &body) {
            refused(DenyReason::InspectMethod, &what);
            return error(StatusCode::FORBIDDEN, "permission_error", &format!("this job may not ask for {what}"));
        }
        let prompt = prompt(if shape.is_charged() { body.len() } else { 0 });
        let (body, under_way) = match self.budget.begin(prompt, shape.can_be_told()).await {
            Ok((Standing::Warn, mut under_way)) => match warned(&body) {
                Some(warned) => (Bytes::from(warned), under_way),
                None => {
                    under_way.says_nothing();
                    (body, under_way)
                }
            },
            Ok((_, under_way)) => (body, under_way),
            Err(_) => {
                return error(
                    StatusCode::BAD_REQUEST,
                    "invalid_request_error",
                    "the budget of this issue is spent: end now",
                );
            }
        };
        usage.connections.fetch_add(1, Ordering::Relaxed);
        usage.up.fetch_add(body.len() as u64, Ordering::Relaxed);
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let going = Going { shape, head: &head, target: &target, body: &body, refused };
        self.ask(&going, events, usage, under_way).await
    }

    /// What a request asks for that the job may not have.
    fn may_ask(&self, shape: Shape, path: &str, body: &[u8]) -> Result<(), String> {
        let asked = match shape {
            Shape::Models => return Ok(()),
            Shape::Gemini => {
                let model = path.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default();
                Asked { model: model.to_owned(), ..asked(body, shape.api())? }
            }
            Shape::Messages | Shape::CountTokens | Shape::Responses | Shape::ChatCompletions => {
                asked(body, shape.api())?
            }
        };
        match asked.too_much {
            Some(what) => Err(what),
            None if self.route.models.contains(&asked.model) => Ok(()),
            None => Err(format!("the model {}", asked.model)),
        }
    }

    /// Asks with one account after the other, as long as none has answered.
    async fn ask(&self, going: &Going<'_>, events: &Events, usage: &Arc<Usage>, mut under_way: UnderWay) -> Answer {
        let Going { shape, head, target, body, refused } = *going;
        let mut tried = Vec::new();
        loop {
            let Some(account) = self.accounts.pick(Timestamp::now(), &tried) else {
                let mut none =
                    error(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "every account of this job is used up");
                if let Some(seconds) = self.accounts.soon(Timestamp::now()) {
                    // It passes by itself: the agent waits.
                    none.headers_mut().remove(AGAIN);
                    none.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                return none;
            };
            let mut headers = forwarded(&head.headers);
            if !self.route.has_long_context() {
                without_long_context(&mut headers);
            }
            account.sign(&mut headers);
            // What is counted must be readable.
            headers.insert(header::ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
            let scheme = if self.route.upstream.tls { "https" } else { "http" };
            let uri = format!("{scheme}://{}{target}", self.route.upstream.endpoint);
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = head.method.clone();
            *request.headers_mut() = headers;
            match uri.parse() {
                Ok(uri) => *request.uri_mut() = uri,
                Err(_) => return error(StatusCode::BAD_REQUEST, "invalid_request_error", "no such place"),
            }
            under_way.sent(shape.is_charged());
            let answer = match timeout(self.quiet, self.client.request(request)).await {
                Ok(Ok(answer)) => answer,
                Err(_) => {
                    let seconds = self.quiet.as_secs();
                    let what = format!("the model API has not answered within {seconds} s");
                    return error(StatusCode::GATEWAY_TIMEOUT, "timeout_error", &what);
                }
                Ok(Err(why)) => {
                    under_way.sent(shape.is_charged() && !why.is_connect());
                    // Its name leads where none may: that is no failure of the network's.
                    if let Some(reason) = denied(&why) {
                        refused(reason, self.route.upstream.endpoint.host());
                    }
                    return error(StatusCode::BAD_GATEWAY, "api_error", &format!("the model API {}", no_answer(&why)));
                }
            };
            let (head, body) = answer.into_parts();
            let body = if head.status == StatusCode::FORBIDDEN {
                let read = timeout(self.quiet, Limited::new(body, FORBIDS).collect()).await;
                Either::Left(read.ok().and_then(Result::ok).map(|read| read.to_bytes()).unwrap_or_default())
            } else {
                Either::Right(body)
            };
            let kind = if let Either::Left(body) = &body { kind_of_error(body) } else { None };
            // What another path says of an account may be said of the path.
            let judged = if shape == Shape::Messages {
                says(head.status, &head.headers, kind.as_deref(), Timestamp::now())
            } else {
                Says::Nothing
            };
            if judged != Says::Nothing {
                under_way.sent(false);
                tried.push(account.name.clone());
            }
            let other = self.accounts.pick(Timestamp::now(), &tried).is_some();
            match judged {
                Says::Aside(until, why) => {
                    self.accounts.set_aside(&account.name, until);
                    events.aside(&account.name, until, why);
                }
                Says::Briefly(until) if other => self.accounts.set_aside(&account.name, until),
                Says::Briefly(_) | Says::NotItsFault | Says::Nothing => {}
            }
            // Nothing of this answer has been given.
            if judged != Says::Nothing && other {
                continue;
            }
            let mut given = match body {
                Either::Left(read) => {
                    under_way.sent(false);
                    usage.down.fetch_add(read.len() as u64, Ordering::Relaxed);
                    Response::new(Either::Left(Full::new(read)))
                }
                Either::Right(body) => {
                    let kind =
                        head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                    let events_come = kind.starts_with("text/event-stream");
                    under_way.sent(shape.is_charged() && head.status.is_success());
                    if head.status.is_success() {
                        under_way.read();
                    }
                    let counted = Counted::new(body, events_come, under_way, Arc::clone(usage), self.quiet);
                    Response::new(Either::Right(counted))
                }
            };
            *given.status_mut() = head.status;
            *given.headers_mut() = returned(&head.headers);
            return given;
        }
    }
}

/// A request that may go on.
struct Going<'a> {
    shape: Shape,
    head: &'a http::request::Parts,
    target: &'a str,
    body: &'a Bytes,
    refused: &'a (dyn Fn(DenyReason, &str) + Sync),
}

/// An error in the form that agents understand.
fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    let body =
        serde_json::json!({ "type": "error", "error": { "type": kind, "message": format!("hydra: {message}") } });
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body.to_string()))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    // Asking again would say the same.
    answer.headers_mut().insert(AGAIN, http::HeaderValue::from_static("false"));
    answer
}
