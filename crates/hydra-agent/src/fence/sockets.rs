//! What no network namespace bounds: sockets of a virtual machine's host (`AF_VSOCK`), of frames and of buses, and the ways round a filter of
//! calls. The wrapper takes them from itself, and so from everything that it starts, for good. The engine's own filter does so in some
//! versions and not in others.
//!
//! Left are Unix sockets, IPv4, IPv6 and netlink, all of which belong to a namespace. `io_uring` makes sockets without a call that could be
//! seen; it is said not to exist, and programs go on without it. Programs of 32 bits have other numbers for everything: they are ended.

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, socket_with},
};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;

const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
const RINGS: [libc::c_long; 3] = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
/// The second numbers that the calls of 64 bits have on this machine.
#[cfg(target_arch = "x86_64")]
const SECOND: libc::c_long = 0x4000_0000;

/// Families that a container has no use for, with what they lead to.
const OTHERS: [(AddressFamily, &str); 5] = [
    (AddressFamily::VSOCK, "AF_VSOCK: the machine that hosts this virtual machine"),
    (AddressFamily::PACKET, "AF_PACKET: frames as they are on the wire"),
    (AddressFamily::TIPC, "AF_TIPC: other machines of a cluster"),
    (AddressFamily::CAN, "AF_CAN: a bus"),
    (AddressFamily::BLUETOOTH, "AF_BLUETOOTH: what is near"),
];

/// Takes them from this thread and all that it starts.
///
/// # Errors
/// When the kernel cannot filter calls, or one of the families can still be had.
pub(crate) fn confine() -> Result<(), String> {
    for program in programs().map_err(|error| format!("seccomp: {error}"))? {
        apply_filter(&program).map_err(|error| format!("seccomp: {error}; use a kernel that has it"))?;
    }
    match other_family() {
        None => Ok(()),
        Some(family) => Err(format!("a socket can still be had of {family}")),
    }
}

/// A socket of another family that can be had.
pub(crate) fn other_family() -> Option<&'static str> {
    let kinds = [SocketType::STREAM, SocketType::DGRAM, SocketType::RAW, SocketType::SEQPACKET];
    let opens = |family: AddressFamily| {
        // Whatever but a made socket is no socket.
        let made = |kind| -> Result<_, Errno> { socket_with(family, kind, SocketFlags::CLOEXEC, None) };
        kinds.into_iter().any(|kind| made(kind).is_ok())
    };
    OTHERS.into_iter().find(|(family, _)| opens(*family)).map(|(_, words)| words)
}

fn programs() -> Result<[BpfProgram; 2], Error> {
    let other = |families: &[libc::c_int]| -> Result<Vec<SeccompRule>, Error> {
        let is_not = |family: &libc::c_int| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()))
        };
        let all = families.iter().map(is_not).collect::<Result<Vec<_>, _>>()?;
        Ok(vec![SeccompRule::new(all)?])
    };
    let sockets =
        BTreeMap::from([(libc::SYS_socket, other(&FAMILIES)?), (libc::SYS_socketpair, other(&[libc::AF_UNIX])?)]);
    let absent: BTreeMap<_, _> = RINGS.into_iter().chain(second_numbers()).map(|call| (call, Vec::new())).collect();
    let program = |rules, errno: libc::c_int| -> Result<BpfProgram, Error> {
        let here = TargetArch::try_from(std::env::consts::ARCH)?;
        let refused = SeccompAction::Errno(errno.unsigned_abs());
        Ok(SeccompFilter::new(rules, SeccompAction::Allow, refused, here)?.try_into()?)
    };
    Ok([program(sockets, libc::EAFNOSUPPORT)?, program(absent, libc::ENOSYS)?])
}

#[cfg(target_arch = "x86_64")]
fn second_numbers() -> impl Iterator<Item = libc::c_long> {
    RINGS.into_iter().chain([libc::SYS_socket, libc::SYS_socketpair]).map(|call| call | SECOND)
}
#[cfg(not(target_arch = "x86_64"))]
fn second_numbers() -> impl Iterator<Item = libc::c_long> {
    std::iter::empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        net::{TcpListener, UdpSocket},
        os::unix::{fs::PermissionsExt as _, net::UnixStream, process::ExitStatusExt as _},
        process::{Command, ExitStatus},
    };

    /// A filter belongs to its thread.
    fn filtered<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
        let look = || {
            confine().unwrap();
            look()
        };
        std::thread::spawn(look).join().unwrap()
    }

    #[test]
    fn what_no_namespace_bounds_cannot_be_had_any_more_and_everything_else_can() {
        // Of those, a usual kernel gives some to everybody.
        if other_family().is_none() {
            eprintln!("this kernel gives no socket of another family to begin with");
        }
        assert_eq!(filtered(other_family), None);
        filtered(|| {
            TcpListener::bind("127.0.0.1:0").unwrap();
            UdpSocket::bind("127.0.0.1:0").unwrap();
            UnixStream::pair().unwrap();
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
            let refused = socket_with(AddressFamily::VSOCK, SocketType::STREAM, SocketFlags::CLOEXEC, None);
            assert_eq!(refused.unwrap_err(), Errno::AFNOSUPPORT);
        });
    }

    #[test]
    fn io_uring_is_said_not_to_exist_by_either_of_its_numbers() {
        // Without its arguments: a kernel that has it complains of these.
        let ask = |more: u32| {
            let number = libc::SYS_io_uring_setup + i64::from(more);
            let script = format!(
                "import ctypes as c\nc.CDLL(None, use_errno=True).syscall({number}, 1, None)\nprint(c.get_errno())"
            );
            move || Command::new("python3").args(["-c", &script]).output().ok()
        };
        let Some(free) = ask(0)() else {
            eprintln!("python3 is not here to ask with");
            return;
        };
        assert!(free.status.success(), "{free:?}");
        for more in [0, 0x4000_0000] {
            let filtered = filtered(ask(more)).unwrap();
            assert_eq!(String::from_utf8_lossy(&filtered.stdout).trim(), libc::ENOSYS.to_string(), "{filtered:?}");
        }
        if String::from_utf8_lossy(&free.stdout).trim() == libc::ENOSYS.to_string() {
            eprintln!("this kernel has no io_uring to begin with");
        }
    }

    /// The smallest program of 32 bits: `exit(42)`.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_program_of_32_bits_whose_calls_have_other_numbers_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small");
        let code = [0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80];
        let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0".to_vec();
        let base = 0x0804_8000_u32;
        let length = 84 + u32::try_from(code.len()).unwrap();
        for word in [1, base + 84, 52, 0, 0] {
            elf.extend(u32::to_le_bytes(word));
        }
        for half in [52_u16, 32, 1, 0, 0, 0] {
            elf.extend(half.to_le_bytes());
        }
        for word in [1, 0, base, base, length, length, 5, 0x1000] {
            elf.extend(u32::to_le_bytes(word));
        }
        elf.extend(code);
        fs::write(&path, elf).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let run = move || -> Option<ExitStatus> { Command::new(&path).status().ok() };
        let Some(free) = run.clone()() else {
            eprintln!("this kernel runs no program of 32 bits");
            return;
        };
        assert_eq!(free.code(), Some(42));
        assert_eq!(filtered(run).and_then(|status| status.signal()), Some(libc::SIGSYS));
    }
}
