//! The first container of a job: its network namespace is the agent's, and it keeps the descriptors, so that a gate can be started anew
//! without anybody touching the namespace. It has no capability and does nothing else.

use crate::descriptors::{Kind, Message, Sockets, receive, send};
use rustix::fd::{AsFd as _, OwnedFd};
use std::{
    fs, io,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    time::{Duration, Instant},
};

/// The holder's socket, in the folder that holder, gate and net-init share and no agent sees.
pub(crate) const SOCKET: &str = "holder.sock";
/// One peer's time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps and gives until it is killed.
pub(crate) fn hold(folder: &Path) -> io::Result<()> {
    let path = folder.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    let mut kept: (Vec<Kind>, Vec<OwnedFd>) = Default::default();
    for stream in listener.incoming() {
        // Who breaks off has to come again.
        _ = answer(&stream?, &mut kept);
    }
    Ok(())
}

fn answer(stream: &UnixStream, kept: &mut (Vec<Kind>, Vec<OwnedFd>)) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match receive(stream)? {
        (Message::Keep { kinds }, descriptors) if kinds.len() == descriptors.len() => {
            *kept = (kinds, descriptors);
            send(stream, &Message::Kept, &[])
        }
        (Message::Give, _) => {
            let descriptors: Vec<_> = kept.1.iter().map(|descriptor| descriptor.as_fd()).collect();
            send(stream, &Message::Here { kinds: kept.0.clone() }, &descriptors)
        }
        (Message::Keep { .. } | Message::Here { .. } | Message::Kept, _) => Ok(()),
    }
}

/// Hands sockets over to be kept.
pub(crate) fn keep(folder: &Path, sockets: &Sockets) -> io::Result<()> {
    let stream = connect(folder)?;
    send(&stream, &Message::Keep { kinds: sockets.kinds() }, &sockets.descriptors())?;
    match receive(&stream)? {
        (Message::Kept, _) => Ok(()),
        _ => Err(io::Error::other("the holder does not keep the sockets")),
    }
}

/// Takes the sockets, waiting until there are some.
pub(crate) fn take(folder: &Path, wait: Duration) -> io::Result<Sockets> {
    let until = Instant::now() + wait;
    loop {
        let got = connect(folder).and_then(|stream| {
            send(&stream, &Message::Give, &[])?;
            receive(&stream)
        });
        match got {
            Ok((Message::Here { kinds }, descriptors)) if !kinds.is_empty() => return Sockets::of(&kinds, descriptors),
            Ok(_) | Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody made the sockets")),
            Err(error) => return Err(error),
        }
    }
}

fn connect(folder: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(folder.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
