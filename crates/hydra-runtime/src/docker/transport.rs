//! The way to the engine: its socket, the API version that was agreed on, and the one answer that bollard itself would hide.

use bollard::{BollardRequest, errors::Error};
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use hyperlocal::UnixConnector;
use std::{io, path::PathBuf, pin::Pin};

/// bollard's request body.
type Body = Either<Full<Bytes>, StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>>>;
type Answer = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

/// "Nothing was done": the engine's answer to the start of what runs already.
pub(super) const NOT_MODIFIED: u16 = 304;

/// Sends requests to one engine's socket. `prefix` stands before every path, as `/v1.41`; it is empty before a version is agreed on.
pub(super) fn transport(socket: PathBuf, prefix: String) -> impl Fn(BollardRequest) -> Answer + Send + Sync + 'static {
    // A connection for each request, as bollard's own transport: none is found dead after an engine's restart.
    let client: Client<UnixConnector, Body> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(UnixConnector);
    move |request: BollardRequest| {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let is_start = parts.uri.path().ends_with("/start");
        parts.uri = hyperlocal::Uri::new(&socket, &format!("{prefix}{path}")).into();
        let sent = client.request(hyper::Request::from_parts(parts, body));
        Box::pin(async move {
            let answer = sent.await.map_err(Error::from)?;
            // bollard takes 304 for success. Whether a start was ours or another's is the difference between new and adopted.
            if is_start && answer.status().as_u16() == NOT_MODIFIED {
                let message = "it was started already".to_owned();
                return Err(Error::DockerResponseServerError { status_code: NOT_MODIFIED, message });
            }
            Ok(answer)
        })
    }
}
