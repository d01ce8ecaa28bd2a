//! Seccomp: the system calls of a gate that serves, and no others.
//!
//! What is not among them fails with `EPERM`: a library that asks for something new goes on without it, and so does the agent's run. What
//! only somebody who has taken the gate over would ask for (another program, another namespace, another process's memory, the kernel's own
//! machinery) ends the gate at once: the engine starts a clean one, and every connection is closed meanwhile. `clone3` hides its flags from
//! a filter; it is said not to exist, and the C library takes `clone`, whose flags can be seen.

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

/// Allowed, whatever the arguments.
const ALLOWED: &[c_long] = &[
    // Descriptors. None can be made of a file, but those below.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    // Sockets.
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, signals, time, the end.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_membarrier,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_uname,
    // The filter below answers it.
    libc::SYS_clone3,
];

/// The older forms of some of them, which newer machines never had.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// A file of the folder that is kept is put in the place of an older one by these.
#[cfg(target_arch = "x86_64")]
const RENAMES: &[c_long] = &[libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2];
#[cfg(not(target_arch = "x86_64"))]
const RENAMES: &[c_long] = &[libc::SYS_renameat, libc::SYS_renameat2];

/// Whoever asks for one of these is not the gate any more.
const DEADLY: &[c_long] = &[
    // Other programs and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    // Other namespaces, other trees of files.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    // The kernel's own machinery.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    // Another user, other rights.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
];

/// Flags of `clone` that a thread has, and those that make a namespace.
const THREAD: u64 = (libc::CLONE_VM | libc::CLONE_THREAD) as u64;
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;
/// The part of a socket's type that is no flag.
const SOCKET_TYPE: u64 = 0xf;
/// `write` is all that is done to a file that is opened.
const OPEN_HOW: u64 = (libc::O_ACCMODE | libc::O_PATH) as u64;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Filters the calls of every thread. `keeps`: whether files are written.
pub(super) fn filter(keeps: bool) -> Result<(), Error> {
    // The one that allows comes last: it does not allow another. Of several answers the strictest counts.
    for program in programs(keeps)? {
        apply_filter_all_threads(&program)?;
    }
    Ok(())
}

fn programs(keeps: bool) -> Result<[BpfProgram; 3], Error> {
    let always = |calls: &[c_long]| calls.iter().map(|&call| (call, Vec::new())).collect::<Rules>();
    let number = |errno: libc::c_int| SeccompAction::Errno(errno.unsigned_abs());
    let (fine, denied, absent) = (SeccompAction::Allow, number(libc::EPERM), number(libc::ENOSYS));
    Ok([
        program(always(DEADLY), fine.clone(), SeccompAction::KillProcess)?,
        program(always(&[libc::SYS_clone3]), fine.clone(), absent)?,
        program(allowed(keeps)?, denied, fine)?,
    ])
}

fn program(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, Error> {
    let here = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, otherwise, matched, here)?.try_into()?)
}

fn allowed(keeps: bool) -> Result<Rules, Error> {
    let mut rules: Rules = ALLOWED.iter().chain(OLDER).map(|&call| (call, Vec::new())).collect();
    // Blocking or not, and closed in a program that is never started.
    rules.insert(libc::SYS_ioctl, one_of(1, &[libc::FIONBIO, libc::FIOCLEX])?);
    let how = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD_CLOEXEC];
    let size = [libc::F_GETPIPE_SZ, libc::F_SETPIPE_SZ];
    rules.insert(libc::SYS_fcntl, one_of(1, &how.into_iter().chain(size).map(int).collect::<Vec<_>>())?);
    // TCP and UDP; a pair of Unix sockets, whose other end is its own, and no Unix socket of anybody else's.
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_socketpair, one_of(0, &[int(libc::AF_UNIX)])?);
    // No memory that can be run.
    let data = vec![SeccompRule::new(vec![masked(2, int(libc::PROT_EXEC), 0)?])?];
    rules.insert(libc::SYS_mmap, data.clone());
    rules.insert(libc::SYS_mprotect, data);
    // Threads, no processes; their names; signals to itself; bounds that are read.
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![masked(0, THREAD | NAMESPACES, THREAD)?])?]);
    rules.insert(libc::SYS_prctl, one_of(0, &[int(libc::PR_SET_NAME)])?);
    rules.insert(libc::SYS_tgkill, one_of(0, &[u64::from(std::process::id())])?);
    let reads = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![reads])?]);
    if keeps {
        let written = masked(2, OPEN_HOW, int(libc::O_WRONLY))?;
        rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![written])?]);
        rules.extend(RENAMES.iter().map(|&call| (call, Vec::new())));
    }
    Ok(rules)
}

fn one_of(place: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    values.iter().map(|&value| Ok(SeccompRule::new(vec![is(place, value)?])?)).collect()
}

fn int(value: libc::c_int) -> u64 {
    u64::from(value.unsigned_abs())
}

fn sockets() -> Result<Vec<SeccompRule>, Error> {
    let mut rules = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        for (kind, protocol) in [(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)] {
            for protocol in [0, protocol] {
                let kind = masked(1, SOCKET_TYPE, int(kind))?;
                rules.push(SeccompRule::new(vec![is(0, int(family))?, kind, is(2, int(protocol))?])?);
            }
        }
    }
    Ok(rules)
}

/// An argument of 32 bits has this value.
fn is(place: u8, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(place, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?)
}

/// These bits of an argument are so.
fn masked(place: u8, mask: u64, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(place, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_deadly_is_allowed_and_the_filters_can_be_made() {
        for keeps in [false, true] {
            let rules = allowed(keeps).unwrap();
            assert!(DEADLY.iter().all(|call| !rules.contains_key(call)));
            assert_eq!(rules.contains_key(&libc::SYS_openat), keeps, "a gate that keeps nothing opens nothing");
            assert!(programs(keeps).unwrap().iter().all(|program| !program.is_empty()));
        }
    }
}
