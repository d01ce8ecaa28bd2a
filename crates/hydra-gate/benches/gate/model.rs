//! The model's API: the time that the gate adds to an event of a stream, and a thousand streams at a time. Directly, the client speaks TLS with
//! the API itself; through the gate it speaks plain HTTP, and the gate speaks TLS, signs, and counts.

use crate::{
    fence::Fence,
    model_api::{Api, PORT, USED, WANTED, WRITTEN},
    place::Place,
    server::{HOST, Server},
    stage::{quantile, us},
};
use hydra_core::{
    Tokens,
    egress::gate::{GateAccount, GateLine, ModelApi, ModelRoute, Upstream},
    ports::AccountKind,
};
use hydra_figures::{Aim, Figure, number};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream as Socket},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    task::JoinSet,
};

const INSIDE: u16 = 8088;
/// Streams, events of each, and milliseconds between them.
type Load = (usize, u32, u64);
/// As quick as a model writes, and a few at a time, so that nobody waits for a processor.
const FEW: Load = (8, 150, 20);
const ROUNDS: usize = 2;
const MANY: Load = (1_000, 20, 200);

pub(crate) fn measure() {
    let (place, _sleeper) = Place::new();
    let _server = Server::new(&place);
    let api = Api::new(&place);
    let route = ModelRoute {
        port: INSIDE,
        upstream: Upstream {
            endpoint: format!("{HOST}:{PORT}").parse().unwrap(),
            tls: true,
            private: true,
            authority: Some(api.certificate.clone()),
        },
        accounts: vec![GateAccount { name: "first".parse().unwrap(), kind: AccountKind::Key }],
        apis: [ModelApi::Messages].into(),
        models: ["claude-sonnet-4-6".to_owned()].into(),
        allowance: None,
    };
    let fence = Fence::new(&place, Some(route), "{\"first\":\"sk-bench\"}");
    let client = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let direct = Client { runtime: &client, api: &api, from: place.clone(), at: (HOST, PORT).into(), tls: true };
    let at = (Ipv4Addr::LOCALHOST, INSIDE).into();
    let gate = Client { runtime: &client, api: &api, from: fence.agent(), at, tls: false };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.extend(direct.load(FEW).concat());
        with.extend(gate.load(FEW).concat());
    }
    let whole = gate.load(MANY);
    let came = whole.iter().filter(|stream| stream.len() == MANY.1 as usize).count();
    let mut crowded = whole.concat();
    let memory = fence.gate.memory();
    let GateLine::Report { tokens, .. } = fence.report() else { unreachable!() };

    let [slow, quick] = [0.99, 0.5].map(|part| [us(quantile(&mut without, part)), us(quantile(&mut with, part))]);
    let added = quick[1] - quick[0];
    let gap = FEW.2 as f64 * 1e3;
    Figure::new("model stream, time that the gate adds to an event, p50", "the time between two events", added / gap, "")
        .aim(Aim::AtMost(0.01))
        .detail(format!(
            "{added:.0} us ({:.0} against {:.0} directly; p99 {:.0} against {:.0}) of {} ms; {} streams at a time, {} events",
            quick[1],
            quick[0],
            slow[1],
            slow[0],
            FEW.2,
            FEW.0,
            number(with.len() as f64)
        ))
        .say();
    Figure::new("model streams at a time through the gate that came whole", "all that were begun", came as f64, "")
        .aim(Aim::AtLeast(MANY.0 as f64))
        .detail(format!(
            "{} events of each, one every {} ms; an event under way for {:.0} us p50, {:.0} us p99; the gate has {} KiB then",
            MANY.1,
            MANY.2,
            us(quantile(&mut crowded, 0.5)),
            us(quantile(&mut crowded, 0.99)),
            number(memory)
        ))
        .say();
    let streams = ROUNDS * FEW.0 + MANY.0;
    let [counted, said] = [sum(tokens), sum(USED) * streams as u64];
    Figure::new(
        "model streams, tokens that the gate has counted",
        "the tokens that the API has said",
        counted as f64 / said as f64,
        "",
    )
    .aim(Aim::AtLeast(1.0))
    .detail(format!("{} of {} over {} streams", number(counted as f64), number(said as f64), number(streams as f64)))
    .say();
    assert!(counted <= said, "no token is counted twice: {counted}, {said}");
}

fn sum(tokens: Tokens) -> u64 {
    tokens.input + tokens.output + tokens.cache_read + tokens.cache_write
}

/// One way to the API.
struct Client<'c> {
    runtime: &'c Runtime,
    api: &'c Api,
    from: Place,
    at: SocketAddr,
    tls: bool,
}

impl Client<'_> {
    /// How long each event of each stream was under way.
    fn load(&self, (streams, events, gap): Load) -> Vec<Vec<Duration>> {
        let sockets: Vec<Socket> =
            self.from.inside(|| (0..streams).map(|_| Socket::connect(self.at).unwrap()).collect());
        self.runtime.block_on(async {
            let mut asked = JoinSet::new();
            for socket in sockets {
                socket.set_nonblocking(true).unwrap();
                socket.set_nodelay(true).unwrap();
                let (stream, begun) = (TcpStream::from_std(socket).unwrap(), self.api.begun);
                let connector = self.tls.then(|| self.api.client.clone());
                asked.spawn(async move {
                    match connector {
                        Some(connector) => {
                            let shaken = connector.connect(std::net::IpAddr::from(HOST).into(), stream).await;
                            listen(shaken.unwrap(), events, gap, begun).await
                        }
                        None => listen(stream, events, gap, begun).await,
                    }
                });
                // Not all of them in the same millisecond.
                tokio::time::sleep(Duration::from_millis(gap) / u32::try_from(streams).unwrap()).await;
            }
            asked.join_all().await
        })
    }
}

/// Asks for a stream and hears it to its end.
async fn listen(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    events: u32,
    gap: u64,
    begun: std::time::Instant,
) -> Vec<Duration> {
    let body = r#"{"model":"claude-sonnet-4-6","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: model\r\n{WANTED}: {events} {gap}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut heard, mut seen, mut room) = (String::new(), 0, [0; 16 * 1024]);
    let mut times = Vec::new();
    while !heard.ends_with("\r\n0\r\n\r\n") {
        let read = stream.read(&mut room).await.unwrap_or_default();
        let now = begun.elapsed();
        if read == 0 {
            break;
        }
        heard.push_str(std::str::from_utf8(&room[..read]).unwrap());
        while let Some(at) = heard[seen..].find(WRITTEN) {
            let rest = &heard[seen + at + WRITTEN.len()..];
            let Some((written, _)) = rest.split_once(',') else { break };
            times.push(now.saturating_sub(Duration::from_micros(written.parse().unwrap())));
            seen += at + WRITTEN.len();
        }
    }
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
    times
}
