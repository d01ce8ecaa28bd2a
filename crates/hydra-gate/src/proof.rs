//! Proves the fence from inside: what must be refused is refused at once and counted, what must be answered is answered by the gate.

use crate::{events::Refused, netinit::command};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use hydra_core::{digest::sha256_hex, egress::HostName};
use serde::Serialize;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

/// The name that is asked for, and the place that is dialled: both are nobody's.
pub(crate) const NAME: &str = "proof.hydra.invalid";
pub(crate) const PLACE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
pub(crate) const PLACE_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);
/// Refusals that the proofs of a start ask for, at most: net-init's, the agent's own, and that of a gate that is started again.
pub(crate) const CANARIES: u64 = 16;
/// How long the gate may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// A refusal comes at once.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What was proved.
#[derive(Debug, Serialize)]
pub(crate) struct Proof {
    /// SHA-256 of the rules as the kernel lists them, counters left out.
    pub(crate) rules: String,
    /// What was tried, each as it must be.
    pub(crate) tried: Vec<String>,
}

/// Tries everything.
pub(crate) fn prove(allowed: Option<&HostName>, v6: bool) -> Result<Proof, String> {
    let mut tried = Vec::new();
    let until = Instant::now() + PATIENCE;
    loop {
        match ask(NAME) {
            Ok((ResponseCode::NXDomain, _)) => break,
            Ok((code, _)) => return Err(format!("the gate answers {NAME} with {code}")),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(format!("the gate does not answer: {error}")),
        }
    }
    tried.push(format!("{NAME} does not resolve"));
    if let Some(name) = allowed {
        match ask(name.as_str()).map_err(|error| format!("{name}: {error}"))? {
            (ResponseCode::NoError, Some(_)) => tried.push(format!("{name} resolves")),
            (code, address) => return Err(format!("{name} is allowed and is answered with {code}, {address:?}")),
        }
    }
    let before = counted()?;
    let mut places = vec![PLACE];
    if v6 {
        places.push(PLACE_V6);
    }
    for place in &places {
        let begun = Instant::now();
        match TcpStream::connect_timeout(place, AT_ONCE) {
            Ok(_) => return Err(format!("{place} was reached")),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(format!("{place} is not refused at once"));
            }
            Err(_) => tried.push(format!("{place} is refused after {} ms", begun.elapsed().as_millis())),
        }
    }
    let refused = counted()?.saturating_sub(before);
    if refused < places.len() as u64 {
        return Err(format!("{} connections were refused, and the table counted {refused}", places.len()));
    }
    let rules = command("nft", &["--stateless", "list", "ruleset"], "")?;
    Ok(Proof { rules: sha256_hex(rules.as_bytes()), tried })
}

/// Whether a refusal is one that the proof has asked for: nobody has the name, and nobody answers at the places.
pub(crate) fn is_canary(refused: &Refused) -> bool {
    let at = refused.dst.zip(refused.dport).map(|(ip, port)| SocketAddr::new(ip, port));
    refused.host.as_deref() == Some(NAME) || at.is_some_and(|at| at == PLACE || at == PLACE_V6)
}

/// Asks for the address of a name, at an address that nobody has.
fn ask(name: &str) -> io::Result<(ResponseCode, Option<Ipv4Addr>)> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(AT_ONCE))?;
    socket.connect((PLACE.ip(), 53))?;
    let mut question = Message::query();
    let name = Name::from_ascii(format!("{name}.")).map_err(io::Error::other)?;
    question.add_query(Query::query(name, RecordType::A));
    socket.send(&question.to_vec().map_err(io::Error::other)?)?;
    let mut room = [0; 2048];
    let length = socket.recv(&mut room)?;
    let answer = Message::from_vec(room.get(..length).unwrap_or_default()).map_err(io::Error::other)?;
    if answer.metadata.id != question.metadata.id {
        return Err(io::Error::other("the answer is to another question"));
    }
    let address = answer.answers.iter().find_map(|record| match &record.data {
        RData::A(address) => Some(address.0),
        _ => None,
    });
    Ok((answer.metadata.response_code, address))
}

/// TCP packets that the table has refused.
fn counted() -> Result<u64, String> {
    let listed = command("nft", &["--json", "list", "counter", "inet", "hydra", "denied_tcp"], "")?;
    let listed: serde_json::Value = serde_json::from_str(&listed).map_err(|error| format!("nft: {error}"))?;
    let items = listed["nftables"].as_array().ok_or("nft lists nothing")?;
    let packets = items.iter().find_map(|item| item["counter"]["packets"].as_u64());
    packets.ok_or_else(|| "nft lists no counter".to_owned())
}
