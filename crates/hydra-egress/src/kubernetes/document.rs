//! The parts of documents that both forms share, and how they become a file.
//!
//! In both forms an empty list of peers or of ports means every one. No rule is ever made with an empty list: what has no peer is left
//! out as a whole.

use super::{COMPONENT, NotWritten};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The name of a policy, its namespace, and what it was made of.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
    pub(super) annotations: BTreeMap<&'static str, &'a str>,
}

/// One object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'a, S> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata<'a>,
    pub(super) spec: S,
}

/// Pods by label; empty: all of the namespace.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Selector {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) match_labels: BTreeMap<&'static str, &'static str>,
}

impl Selector {
    pub(super) fn labels<const N: usize>(labels: [(&'static str, &'static str); N]) -> Self {
        Self { match_labels: labels.into() }
    }
    pub(super) fn component(component: &'static str) -> Self {
        Self::labels([(COMPONENT, component)])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// A port of a pod or of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Port {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

impl Port {
    pub(super) const fn tcp(port: u16) -> Self {
        Self { protocol: Protocol::Tcp, port }
    }
    pub(super) const fn udp(port: u16) -> Self {
        Self { protocol: Protocol::Udp, port }
    }
    /// A resolver answers both.
    pub(super) const fn dns(port: u16) -> [Self; 2] {
        [Self::udp(port), Self::tcp(port)]
    }
}

/// Cilium takes the number as a text.
pub(super) fn as_text<S: Serializer>(port: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(port)
}

/// One object, as it stands between two `---`.
pub(super) fn yaml<T: Serialize>(object: &T) -> Result<String, NotWritten> {
    let mut options = serde_saphyr::SerializerOptions::default();
    // A long name stays on its line.
    options.prefer_block_scalars = false;
    serde_saphyr::to_string_with_options(object, options).map_err(|error| NotWritten(error.to_string()))
}

/// The lines of a head and the objects, as one file.
pub(super) fn file(head: &[String], objects: &[String]) -> String {
    let head: String = head.iter().map(|line| format!("# {line}\n")).collect();
    let objects: String = objects.iter().map(|object| format!("---\n{}\n", object.trim_end())).collect();
    head + &objects
}
