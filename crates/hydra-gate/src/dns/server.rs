//! Port 53, over UDP and TCP.

use super::respond;
use crate::{events::Refused, gate::Gate};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use std::{
    io::{self, IoSliceMut},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{TcpStream, UdpSocket},
};

/// The largest question that is read, in bytes.
const QUESTION: usize = 4096;
/// Questions on one TCP connection, and the time between them.
const QUESTIONS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(5);

fn answer(gate: &Gate, bytes: &[u8], proto: &'static str) -> Option<Vec<u8>> {
    let answer = respond(bytes, |name| gate.address(name));
    if let Some((reason, name)) = answer.refused {
        gate.events.denied(reason, Refused::name(&name, proto));
    }
    answer.bytes
}

/// Answers from the very address that was asked: programs take no answer from another one.
pub(crate) async fn serve_udp(gate: Arc<Gate>, socket: std::net::UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    let state = UdpSocketState::new((&socket).into())?;
    let mut room = vec![0; QUESTION * state.gro_segments()];
    loop {
        let mut meta = [RecvMeta::default()];
        let receive = || state.recv((&socket).into(), &mut [IoSliceMut::new(&mut room)], &mut meta);
        match socket.async_io(Interest::READABLE, receive).await {
            Ok(_) => {}
            // An answer that found nobody there any more comes back as an error of the socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        }
        let [meta] = meta;
        let received = room.get(..meta.len).unwrap_or_default();
        for question in received.chunks(meta.stride.max(1)) {
            let Some(bytes) = answer(&gate, question, "udp") else { continue };
            send(&socket, &state, &bytes, &meta).await;
        }
    }
}

async fn send(socket: &UdpSocket, state: &UdpSocketState, bytes: &[u8], to: &RecvMeta) {
    let transmit = Transmit { destination: to.addr, ecn: None, contents: bytes, segment_size: None, src_ip: to.dst_ip };
    let write = || state.try_send(socket.into(), &transmit);
    // Who does not take its answer asks again.
    _ = tokio::time::timeout(PATIENCE, socket.async_io(Interest::WRITABLE, write)).await;
}

/// One connection with questions, each after its length.
pub(crate) async fn serve_tcp(gate: Arc<Gate>, mut stream: TcpStream) -> io::Result<()> {
    for _ in 0..QUESTIONS {
        let Ok(length) = tokio::time::timeout(PATIENCE, stream.read_u16()).await else { break };
        let mut question = vec![0; usize::from(length?)];
        if question.len() > QUESTION {
            break;
        }
        let Ok(read) = tokio::time::timeout(PATIENCE, stream.read_exact(&mut question)).await else { break };
        read?;
        let Some(bytes) = answer(&gate, &question, "tcp") else { break };
        let Ok(length) = u16::try_from(bytes.len()) else { break };
        stream.write_all(&[&length.to_be_bytes(), bytes.as_slice()].concat()).await?;
    }
    stream.shutdown().await
}
