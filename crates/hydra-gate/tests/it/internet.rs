//! A fake internet in a namespace: a resolver that writes down every question, TLS servers that write down who called, and counters of every
//! packet that arrives, whatever its address. Two wires lead to it: the gate's, and that of somebody who has no fence.

use crate::world::{Process, inside, namespace, run};
use hickory_proto::{
    op::Message,
    rr::{
        RData, Record, RecordType,
        rdata::{A, AAAA},
    },
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

/// The resolver and the hosts. The addresses are public ones; in this namespace they are ours.
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 53);
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 10);
pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 66);
pub(crate) const ATTACKER_V6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0x66);
/// Whoever has no fence.
const OPEN: Ipv4Addr = Ipv4Addr::new(12, 0, 0, 2);

/// What counts: the kernel, before anything else. What neighbours say to find each other is no packet of anybody's.
const COUNTERS: &str = r#"table inet sink {
  counter open {}
  counter asked {}
  counter fenced {}
  counter attacker {}
  chain arrivals {
    type filter hook prerouting priority -300; policy accept;
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld2-listener-report } accept
    iifname "plain" counter name open
    iifname "world" ip daddr 11.0.0.53 meta l4proto { tcp, udp } th dport 53 counter name asked accept
    iifname "world" counter name fenced
    iifname "world" ip daddr 11.0.0.66 counter name attacker
    iifname "world" ip6 daddr 2a00::66 counter name attacker
  }
}
"#;

/// What one wire brought.
#[derive(Default, Clone)]
struct Seen {
    questions: Vec<String>,
    /// Address and name of every handshake.
    calls: Vec<(IpAddr, String)>,
    /// Bytes that were taken after `TAKE`.
    taken: u64,
}

/// What the gate's wire brought, and what that of somebody without a fence did.
#[derive(Default)]
struct Both {
    gate: Seen,
    open: Seen,
}
impl Both {
    fn of(&mut self, from: SocketAddr) -> &mut Seen {
        if from.ip() == OPEN { &mut self.open } else { &mut self.gate }
    }
}

/// The internet of one test.
pub(crate) struct Internet {
    place: Process,
    /// The namespace of an agent that has no fence.
    plain: Process,
    seen: Arc<Mutex<Both>>,
    hosts: Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>,
}

impl Internet {
    /// Joined to the gate's namespace by one wire, and by another to one without a fence. Both have no other way for any address.
    pub(crate) fn new(gate: u32) -> Self {
        let (place, plain) = (namespace(), namespace());
        let (id, open) = (place.id(), plain.id());
        run(id, &format!("ip link add world type veth peer name out netns {gate}"));
        run(id, &format!("ip link add plain type veth peer name out netns {open}"));
        run(id, "ip link set lo up");
        for address in [RESOLVER, API, ATTACKER] {
            run(id, &format!("ip addr add {address}/8 dev world"));
        }
        for address in ["2a00::53", "2a00::66"] {
            run(id, &format!("ip addr add {address}/64 dev world nodad"));
        }
        run(id, "ip addr add 12.0.0.1/8 dev plain");
        run(id, "ip addr add 2b00::1/64 dev plain nodad");
        run(id, "ip link set world up");
        run(id, "ip link set plain up");
        // Whatever address is sent to: it arrives here, and is refused here.
        run(id, "ip route add local 0.0.0.0/0 dev lo table main");
        run(id, "ip -6 route add local ::/0 dev lo table main");
        joined(gate, ["11.0.0.2/8", "2a00::2/64"], ["11.0.0.53", "2a00::53"]);
        joined(open, ["12.0.0.2/8", "2b00::2/64"], ["12.0.0.1", "2b00::1"]);
        count(id);
        let hosts = BTreeMap::from([
            ("api.example.org".to_owned(), vec![API.into()]),
            ("a.files.example.org".to_owned(), vec![API.into()]),
            ("inside.example.org".to_owned(), vec![API.into(), Ipv4Addr::new(169, 254, 169, 254).into()]),
        ]);
        let internet = Self { place, plain, seen: Arc::default(), hosts: Arc::new(Mutex::new(hosts)) };
        internet.resolve();
        for address in [API, ATTACKER] {
            internet.serve(address);
        }
        internet
    }
    pub(crate) fn resolver(&self) -> SocketAddr {
        (RESOLVER, 53).into()
    }
    /// Another address for a name.
    pub(crate) fn moves(&self, name: &str, to: impl Into<IpAddr>) {
        self.hosts.lock().unwrap().insert(name.to_owned(), vec![to.into()]);
    }
    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap() = Both::default();
        run(self.place.id(), "nft reset counters");
    }
    /// The names that the gate has asked for.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.seen.lock().unwrap().gate.questions.clone()
    }
    /// Where the gate has called, and for which name.
    pub(crate) fn calls(&self) -> Vec<(IpAddr, String)> {
        self.seen.lock().unwrap().gate.calls.clone()
    }
    /// Bytes that were taken from the gate, and from somebody without a fence.
    pub(crate) fn taken(&self) -> (u64, u64) {
        let seen = self.seen.lock().unwrap();
        (seen.gate.taken, seen.open.taken)
    }
    /// Packets that one of the counters has seen.
    pub(crate) fn packets(&self, counter: &str) -> u64 {
        let listed = output(self.place.id(), &format!("nft --json list counter inet sink {counter}"));
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed["nftables"].as_array().unwrap().iter().find_map(|item| item["counter"]["packets"].as_u64()).unwrap()
    }
    /// Nobody was asked or called, and not one packet came from the gate.
    #[track_caller]
    pub(crate) fn saw_nothing(&self) {
        assert_eq!((self.questions(), self.calls()), (Vec::new(), Vec::new()));
        assert_eq!((self.packets("asked"), self.packets("fenced")), (0, 0), "packets that asked, and others");
    }
    /// Names were asked for, and that was all.
    #[track_caller]
    pub(crate) fn saw_questions_alone(&self) {
        assert_eq!((self.calls(), self.packets("fenced")), (Vec::new(), 0));
    }
    /// An attack, tried by somebody who has no fence: it arrives. What does not is no attack, and a fence that holds it holds nothing.
    #[track_caller]
    pub(crate) fn arrives<T: Send + 'static>(&self, attack: impl FnOnce() -> T + Send + 'static) -> T {
        let before = self.packets("open");
        let came = crate::agent::in_namespace(self.plain.id(), attack);
        assert!(self.packets("open") > before, "without a fence nothing arrives either");
        came
    }
    /// The namespace of somebody who has no fence.
    pub(crate) fn open(&self) -> u32 {
        self.plain.id()
    }
    /// What somebody without a fence has asked for, and where it has called.
    pub(crate) fn open_calls(&self) -> (Vec<String>, Vec<(IpAddr, String)>) {
        let open = self.seen.lock().unwrap().open.clone();
        (open.questions, open.calls)
    }

    /// One more address out there.
    pub(crate) fn address(&self, address: Ipv4Addr) {
        run(self.place.id(), &format!("ip addr add {address}/8 dev world"));
    }
    /// A socket of the internet's namespace. It is made by a thread that has gone there and comes back no more.
    pub(crate) fn there<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> T {
        crate::agent::in_namespace(self.place.id(), make)
    }
    fn resolve(&self) {
        let socket = self.there(|| UdpSocket::bind((RESOLVER, 53)).unwrap());
        let (seen, hosts) = (Arc::clone(&self.seen), Arc::clone(&self.hosts));
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut room = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut room) {
                let asked = Message::from_vec(&room[..length]).unwrap();
                let query = asked.queries[0].clone();
                let name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
                seen.lock().unwrap().of(from).questions.push(name.clone());
                let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
                answer.add_query(query.clone());
                for address in hosts.lock().unwrap().get(&name).into_iter().flatten() {
                    let data = match (address, query.query_type()) {
                        (IpAddr::V4(address), RecordType::A) => RData::A(A(*address)),
                        (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(*address)),
                        _ => continue,
                    };
                    answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
                }
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            }
        });
    }
    fn serve(&self, address: Ipv4Addr) {
        let listener = self.there(move || TcpListener::bind((address, 443)).unwrap());
        let names = ["api.example.org", "a.files.example.org", "evil.test"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let (config, seen) = (Arc::new(config), Arc::clone(&self.seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, seen) = (Arc::clone(&config), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream.unwrap(), config, &seen));
            }
        });
    }
}

/// Says back what it is told, line by line; `SEND n` sends n bytes, and after `TAKE` it only takes.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, seen: &Mutex<Both>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (at, from) = (stream.local_addr().unwrap().ip(), stream.peer_addr().ok()?);
    let mut connection = ServerConnection::new(config).unwrap();
    let mut raw = stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut raw).ok()?;
    }
    let call = (at, connection.server_name().unwrap_or_default().to_owned());
    seen.lock().unwrap().of(from).calls.push(call);
    let mut stream = StreamOwned::new(connection, raw);
    let mut room = [0; 16 * 1024];
    loop {
        let length = stream.read(&mut room).ok().filter(|length| *length > 0)?;
        let text = String::from_utf8_lossy(&room[..length]).into_owned();
        if text.starts_with("TAKE") {
            loop {
                let length = stream.read(&mut room).ok().filter(|length| *length > 0)?;
                seen.lock().unwrap().of(from).taken += length as u64;
            }
        }
        match text.strip_prefix("SEND ") {
            Some(count) => stream.write_all(&vec![b'x'; count.trim().parse().unwrap()]).ok()?,
            None => stream.write_all(&room[..length]).ok()?,
        }
    }
}

/// Addresses of a wire's near end, and the way to all others.
fn joined(pid: u32, addresses: [&str; 2], ways: [&str; 2]) {
    run(pid, &format!("ip addr add {} dev out", addresses[0]));
    run(pid, &format!("ip addr add {} dev out nodad", addresses[1]));
    run(pid, "ip link set out up");
    run(pid, "ip link set lo up");
    run(pid, &format!("ip route add default via {}", ways[0]));
    run(pid, &format!("ip -6 route add default via {}", ways[1]));
}

/// Makes the counters.
fn count(pid: u32) {
    let mut nft = inside(pid, "nft", &["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(COUNTERS.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success());
}

/// What a namespace's kernel says of it.
pub(crate) fn output(pid: u32, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    String::from_utf8(inside(pid, words[0], &words[1..]).output().unwrap().stdout).unwrap()
}
