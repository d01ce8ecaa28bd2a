//! One gate: what it may let through, and its sockets served until it is told to end.

use crate::{
    descriptors::Sockets,
    dial::Dialer,
    dns,
    events::{Events, Lines, Refused},
    inspect::{self, Inspector},
    model::{self, Model},
    names::Names,
    packets,
    relay::Buffers,
    tls,
};
use hydra_core::egress::{
    AllowedNames, DenyReason, Endpoint, HostName, HostPattern,
    gate::{Confined, GateConfig, GateLimits, PROVIDER, SCHEMA},
};
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// How long to wait before connections are accepted again when there were no descriptors for one.
const BREATH: Duration = Duration::from_millis(50);
/// How often everything so far is told.
const OFTEN: Duration = Duration::from_secs(30);
/// Bytes a second that those reports take of what is read of a gate, on average. An agent that has thousands of names refused makes them long:
/// they would push out of sight what comes later.
const SAID: u64 = 4 * 1024;
/// Look-ups over TCP at a time.
const LOOKUPS: usize = 64;

/// What every connection of one job shares.
pub struct Gate {
    pub(crate) events: Events,
    pub(crate) dialer: Dialer,
    pub(crate) limits: GateLimits,
    pub(crate) buffers: Buffers,
    /// A self-hosted model API.
    pub(crate) model: Option<Endpoint>,
    /// The model API that the gate signs for.
    pub(crate) api: Option<Model>,
    inspector: Option<Inspector>,
    allowed: AllowedNames,
    /// Hosts that are reached through the model API alone: not with a key of the agent's own.
    through_api: Vec<HostName>,
    names: Mutex<Names>,
}

impl Gate {
    /// Makes one; its lines go there. `folder` holds the credentials of a model API that it signs for.
    ///
    /// # Errors
    /// When there is no resolver to ask, or a credential is missing.
    pub fn new(config: GateConfig, folder: Option<&Path>, lines: Lines) -> Result<Self, String> {
        if config.schema != SCHEMA {
            return Err(format!("its configuration is of version {}; it reads {SCHEMA}", config.schema));
        }
        Ok(Self {
            api: model::api(folder, &config)?,
            inspector: Inspector::new(folder, &config)?,
            dialer: Dialer::new(&config)?,
            limits: config.limits,
            buffers: Buffers::default(),
            allowed: config.allow.iter().cloned().chain(model_name(&config)).collect(),
            model: config.model.clone(),
            through_api: through_api(&config),
            names: Mutex::default(),
            events: Events::new(config, lines),
        })
    }
    /// Whether a name may be reached.
    pub(crate) fn allows(&self, name: &HostName) -> bool {
        self.allowed.allows(name) && !self.through_api.contains(name)
    }
    /// What is counted together: everything that one line of the policy lets through, however many names an agent makes of it.
    pub(crate) fn line(&self, name: &HostName) -> String {
        self.allowed.line(name).unwrap_or_else(|| name.to_string())
    }
    /// Whether requests to a name are looked into.
    pub(crate) fn inspects(&self, name: &HostName) -> Option<(&Inspector, &Arc<inspect::Host>)> {
        let inspector = self.inspector.as_ref()?;
        Some((inspector, inspector.host(name)?))
    }
    /// The address that stands for a name that may be reached.
    pub(crate) fn address(&self, name: &HostName) -> Option<Ipv4Addr> {
        self.allows(name).then(|| self.names.lock().unwrap_or_else(PoisonError::into_inner).address(name))
    }
    /// The name that an address stands for.
    pub(crate) fn named(&self, address: IpAddr) -> Option<HostName> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).of(address).cloned()
    }
}

/// The hosts that a pattern may still name.
fn through_api(config: &GateConfig) -> Vec<HostName> {
    let Some(api) = &config.api else { return Vec::new() };
    [api.upstream.endpoint.host(), PROVIDER].into_iter().filter_map(|host| host.parse().ok()).collect()
}

/// The name of a self-hosted model API, where it has one: it must resolve.
fn model_name(config: &GateConfig) -> Option<HostPattern> {
    config.model.as_ref()?.host().parse().ok().map(HostPattern::Exact)
}

/// Serves until `stop`, then tells everything. `confined` is what the process has taken from itself before.
///
/// # Errors
/// When a socket cannot be served any more: then none is, and the agent is refused everything.
pub async fn serve(
    gate: Arc<Gate>,
    sockets: Sockets,
    confined: Confined,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    let connections = Arc::new(Semaphore::new(gate.limits.connections as usize));
    for listener in sockets.tls {
        let (gate, connections) = (Arc::clone(&gate), Arc::clone(&connections));
        tasks.spawn(async move {
            accept(gate, listener, connections, async |gate, stream| tls::serve(&gate, stream).await).await
        });
    }
    let lookups = Arc::new(Semaphore::new(LOOKUPS));
    for listener in sockets.dns_tcp {
        let (gate, lookups) = (Arc::clone(&gate), Arc::clone(&lookups));
        tasks.spawn(async move { accept(gate, listener, lookups, dns::serve_tcp).await });
    }
    for socket in sockets.dns_udp {
        tasks.spawn(dns::serve_udp(Arc::clone(&gate), socket));
    }
    for listener in sockets.model {
        let (gate, connections) = (Arc::clone(&gate), Arc::clone(&connections));
        tasks.spawn(async move {
            accept(gate, listener, connections, async |gate, stream| model::serve(&gate, stream).await).await
        });
    }
    for socket in sockets.packets {
        tasks.spawn(packets::serve(Arc::clone(&gate), socket));
    }
    gate.events.ready(confined);
    let report = || gate.events.report(gate.api.as_ref().map(|api| api.budget.used()).unwrap_or_default());
    let (begun, mut said) = (Instant::now(), 0);
    let mut often = tokio::time::interval_at(tokio::time::Instant::now() + OFTEN, OFTEN);
    let mut stop = pin!(stop);
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ok(()),
            // A gate that breaks down has said nearly everything.
            _ = often.tick() => {
                if is_due(said, begun.elapsed()) {
                    said += report() as u64;
                }
            }
            Some(ended) = tasks.join_next() => break match ended {
                Ok(Ok(())) => Err(io::Error::other("a socket is served no more")),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    };
    tasks.shutdown().await;
    report();
    ended
}

/// Whether one more report is due, `said` bytes of them having been written in that time.
const fn is_due(said: u64, elapsed: Duration) -> bool {
    said <= SAID.saturating_mul(elapsed.as_secs())
}

/// Accepts connections, each in a task of its own; all of them end with this one.
async fn accept<F>(
    gate: Arc<Gate>,
    listener: std::net::TcpListener,
    room: Arc<Semaphore>,
    serve: impl Fn(Arc<Gate>, TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptor, no memory, or it was gone already: whoever waits is served when there is room again.
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            let refused = stream.local_addr().map(Refused::at).unwrap_or_default();
            gate.events.denied(DenyReason::LimitConns, refused);
            continue;
        };
        tasks.spawn(held(permit, serve(Arc::clone(&gate), stream)));
    }
}

/// What becomes of a connection is its own affair: that it broke is no error of the gate.
async fn held(permit: OwnedSemaphorePermit, connection: impl Future<Output = io::Result<()>>) {
    _ = connection.await;
    drop(permit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_reports_come_every_time_and_long_ones_as_seldom_as_they_are_long() {
        let told_in = |minutes: u64, bytes: u64| {
            let due = |said, turn: u64| is_due(said, OFTEN * u32::try_from(turn).unwrap());
            (1..=minutes * 2).fold(0, |said, turn| if due(said, turn) { said + bytes } else { said })
        };
        assert_eq!(told_in(35, 10_000), 70 * 10_000, "every half minute");
        let flooded = told_in(35, 1_800_000);
        assert!((1_800_000 * 4..=1_800_000 * 6).contains(&flooded), "{flooded}");
    }
}
