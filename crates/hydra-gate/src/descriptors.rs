//! The sockets of the agent's namespace: made there by one process, kept by a second, served by a third.

use rustix::{
    fd::{AsFd as _, BorrowedFd, OwnedFd},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixStream,
};

/// Descriptors of one message, at most.
const MOST: usize = 32;
/// Bytes of a message, at most.
const TEXT: usize = 4096;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// TCP 443.
    Tls,
    /// TCP 53.
    DnsTcp,
    /// UDP 53.
    DnsUdp,
    /// The port of a self-hosted model API.
    Model,
    /// What the kernel refused.
    Packets,
}

/// One message over the holder's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum Message {
    /// Keep these.
    Keep { kinds: Vec<Kind> },
    /// Give me what you keep.
    Give,
    /// Here they are; none as long as nobody made them.
    Here { kinds: Vec<Kind> },
    /// They are kept.
    Kept,
}

/// Sends a message with descriptors.
pub(crate) fn send(stream: &UnixStream, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut text = serde_json::to_vec(message)?;
    text.push(b'\n');
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut room);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    let sent = sendmsg(stream, &[IoSlice::new(&text)], &mut ancillary, SendFlags::NOSIGNAL)?;
    if sent == text.len() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::WriteZero)) }
}

/// Receives a message with its descriptors.
pub(crate) fn receive(stream: &UnixStream) -> io::Result<(Message, Vec<OwnedFd>)> {
    let (mut text, mut found) = (Vec::new(), Vec::new());
    while !text.ends_with(b"\n") {
        let mut piece = [0; TEXT];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut room);
        let got = recvmsg(stream, &mut [IoSliceMut::new(&mut piece)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                found.extend(descriptors);
            }
        }
        if got.bytes == 0 || text.len() > TEXT {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        text.extend_from_slice(piece.get(..got.bytes).unwrap_or_default());
    }
    Ok((serde_json::from_slice(&text)?, found))
}

/// The sockets, by what they are.
#[derive(Debug, Default)]
pub struct Sockets {
    /// TCP 443, of both families.
    pub tls: Vec<TcpListener>,
    /// TCP 53, of both families.
    pub dns_tcp: Vec<TcpListener>,
    /// UDP 53, of both families.
    pub dns_udp: Vec<UdpSocket>,
    /// The port of a self-hosted model API, of both families.
    pub model: Vec<TcpListener>,
    /// The netlink socket that tells what the kernel refused.
    pub packets: Vec<OwnedFd>,
}

impl Sockets {
    /// Of descriptors, each of the kind that stands at its place.
    pub(crate) fn of(kinds: &[Kind], descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        if kinds.len() != descriptors.len() {
            return Err(io::Error::other("not every descriptor has arrived"));
        }
        let mut sockets = Self::default();
        for (kind, descriptor) in kinds.iter().zip(descriptors) {
            match kind {
                Kind::Tls => sockets.tls.push(descriptor.into()),
                Kind::DnsTcp => sockets.dns_tcp.push(descriptor.into()),
                Kind::DnsUdp => sockets.dns_udp.push(descriptor.into()),
                Kind::Model => sockets.model.push(descriptor.into()),
                Kind::Packets => sockets.packets.push(descriptor),
            }
        }
        Ok(sockets)
    }
    /// What each of them is.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let of = |kind: Kind, count: usize| std::iter::repeat_n(kind, count);
        of(Kind::Tls, self.tls.len())
            .chain(of(Kind::DnsTcp, self.dns_tcp.len()))
            .chain(of(Kind::DnsUdp, self.dns_udp.len()))
            .chain(of(Kind::Model, self.model.len()))
            .chain(of(Kind::Packets, self.packets.len()))
            .collect()
    }
    /// Their descriptors, in the same order.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let tcp = self.tls.iter().chain(&self.dns_tcp).map(|socket| socket.as_fd());
        let udp = self.dns_udp.iter().map(|socket| socket.as_fd());
        let model = self.model.iter().map(|socket| socket.as_fd());
        tcp.chain(udp).chain(model).chain(self.packets.iter().map(|socket| socket.as_fd())).collect()
    }
}
