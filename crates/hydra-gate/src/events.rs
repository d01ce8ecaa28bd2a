//! What was refused and what was reached: a line for the first of its kind, exact counts for all, one report at the end.

use crate::proof;
use hydra_core::{
    AccountName, Timestamp, Tokens,
    egress::{
        DenyReason, HostName,
        gate::{Confined, Denial, GateConfig, GateLine, Reached, SCHEMA},
        opening,
    },
};
use std::{
    collections::BTreeMap,
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Different refusals that are told apart; what comes on top is counted under one of each reason.
const KINDS: usize = 2_000;
/// Bytes of a text that came from an agent.
const TEXT: usize = 253;

/// A refusal before it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refused {
    pub(crate) host: Option<String>,
    pub(crate) sni: Option<String>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) dport: Option<u16>,
    pub(crate) proto: Option<&'static str>,
    pub(crate) uid: Option<u32>,
}

impl Refused {
    /// A look-up of a name.
    pub(crate) fn name(host: &str, proto: &'static str) -> Self {
        Self { host: Some(plain(&host.to_ascii_lowercase())), proto: Some(proto), ..Self::default() }
    }
    /// A connection to an address.
    pub(crate) fn at(dst: SocketAddr) -> Self {
        Self { dst: Some(dst.ip().to_canonical()), dport: Some(dst.port()), proto: Some("tcp"), ..Self::default() }
    }
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(plain(host));
        self
    }
    pub(crate) fn sni(mut self, sni: &str) -> Self {
        self.sni = Some(plain(sni));
        self
    }
}

/// What an agent wrote, as text that a terminal and a log can show.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c.is_ascii_graphic() || c == ' ' {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
        if shown.len() >= TEXT {
            shown.truncate(TEXT);
            break;
        }
    }
    shown
}

/// What goes to one host.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) connections: AtomicU64,
    pub(crate) up: AtomicU64,
    pub(crate) down: AtomicU64,
}

#[derive(Default)]
struct Counts {
    denied: BTreeMap<(DenyReason, Refused), Denial>,
    reached: BTreeMap<String, Arc<Usage>>,
}

/// Where lines go: standard output, or a test's buffer.
pub type Lines = Box<dyn Write + Send>;

/// The counters and the lines of one gate.
pub(crate) struct Events {
    config: GateConfig,
    counts: Mutex<Counts>,
    lines: Mutex<Lines>,
    canaries: AtomicU64,
}

impl Events {
    pub(crate) fn new(config: GateConfig, lines: Lines) -> Self {
        Self { config, counts: Mutex::default(), lines: Mutex::new(lines), canaries: AtomicU64::new(0) }
    }
    /// Counts a refusal; the first of its kind is told. What the proof before the start tries is no refusal of the agent's.
    pub(crate) fn denied(&self, reason: DenyReason, refused: Refused) {
        if proof::is_canary(&refused) && self.canaries.fetch_add(1, Ordering::Relaxed) < proof::CANARIES {
            return;
        }
        let fresh = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let full = counts.denied.len() >= KINDS;
            let known = counts.denied.contains_key(&(reason, refused.clone()));
            let refused = if full && !known { Refused::default() } else { refused };
            let entry = counts.denied.entry((reason, refused));
            let line = |refused: &Refused| Denial {
                ts: Timestamp::now(),
                job: self.config.job.clone(),
                container_type: self.config.container_type,
                layer: reason.layer(),
                reason,
                host: refused.host.clone(),
                sni: refused.sni.clone(),
                dst: refused.dst,
                dport: refused.dport,
                proto: refused.proto.map(str::to_owned),
                uid: refused.uid,
                count: 0,
                bytes: 0,
                hint: self.hint(reason, refused),
            };
            let denial = match entry {
                std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    let made = line(&free.key().1);
                    free.insert(made)
                }
            };
            denial.count += 1;
            (denial.count == 1).then(|| denial.clone())
        };
        if let Some(denial) = fresh {
            self.say(&GateLine::Denied(denial));
        }
    }
    /// The counters of a host that is reached.
    pub(crate) fn usage(&self, host: &str) -> Arc<Usage> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counts.reached.entry(host.to_owned()).or_default())
    }
    pub(crate) fn ready(&self, confined: Confined) {
        self.say(&GateLine::Ready { v: SCHEMA, policy: self.config.policy.clone(), confined });
    }
    /// An account is used up.
    pub(crate) fn aside(&self, account: &AccountName, until: Timestamp, why: &str) {
        self.say(&GateLine::Aside { account: account.clone(), until, why: why.to_owned() });
    }
    /// Everything so far; how many bytes that was.
    pub(crate) fn report(&self, tokens: Tokens) -> usize {
        let line = {
            let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let reached = counts.reached.iter().map(|(host, usage)| Reached {
                host: host.clone(),
                connections: usage.connections.load(Ordering::Relaxed),
                up: usage.up.load(Ordering::Relaxed),
                down: usage.down.load(Ordering::Relaxed),
            });
            GateLine::Report {
                v: SCHEMA,
                policy: self.config.policy.clone(),
                reached: reached.collect(),
                denied: counts.denied.values().cloned().collect(),
                tokens,
            }
        };
        self.say(&line)
    }
    /// The line that would open it, where a line can.
    fn hint(&self, reason: DenyReason, refused: &Refused) -> String {
        let name = match reason {
            DenyReason::DnsNotAllowed => refused.host.as_deref(),
            DenyReason::TlsSniNotAllowed => refused.sni.as_deref(),
            _ => None,
        };
        match name.and_then(|name| name.parse::<HostName>().ok()) {
            Some(name) => opening(self.config.container_type, &name),
            None => String::new(),
        }
    }
    fn say(&self, line: &GateLine) -> usize {
        let Ok(mut text) = serde_json::to_vec(line) else { return 0 };
        text.push(b'\n');
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads any more: what was refused stays refused, and is counted.
        _ = lines.write_all(&text).and_then(|()| lines.flush());
        text.len()
    }
}
