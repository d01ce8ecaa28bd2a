//! Looks at the process table, so that a number that was given to another process is never taken for the job's.

use crate::error::{error, io_error};
use hydra_core::ports::{RuntimeError, RuntimeErrorKind};
use serde::{Deserialize, Serialize};
use std::{fs, io::ErrorKind, path::Path};

/// Who runs a job, told apart from any later bearer of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Its number; also that of its process group.
    pub(super) pid: i32,
    /// When it started, in clock ticks since the machine did: field 22 of `/proc/<pid>/stat`.
    pub(super) start: u64,
    /// Which run of the machine: `/proc/sys/kernel/random/boot_id`.
    pub(super) boot: String,
}

struct Stat {
    state: char,
    group: i32,
    start: u64,
}

/// Takes note of a process that was just started.
pub(super) fn identify(pid: i32) -> Result<Process, RuntimeError> {
    let Some(stat) = stat(pid)? else {
        return Err(error(RuntimeErrorKind::Failed, format!("process {pid} ended before it was let go")));
    };
    Ok(Process { pid, start: stat.start, boot: boot()? })
}

/// Whether the process, or any other of its group, still runs.
pub(super) fn alive(process: &Process) -> Result<bool, RuntimeError> {
    if boot()? != process.boot {
        return Ok(false);
    }
    match stat(process.pid)? {
        Some(stat) if stat.start == process.start && running(&stat) => return Ok(true),
        // Another process bears the number: then the group is gone too, a number is not given away while a group bears it.
        Some(stat) if stat.start != process.start => return Ok(false),
        Some(_) | None => {}
    }
    let proc = Path::new("/proc");
    let broken = |cause: std::io::Error| io_error("cannot list", proc, &cause);
    for entry in fs::read_dir(proc).map_err(broken)? {
        let name = entry.map_err(broken)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(stat) = stat(pid)?
            && stat.group == process.pid
            && stat.start >= process.start
            && running(&stat)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn running(stat: &Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X' | 'x')
}

fn stat(pid: i32) -> Result<Option<Stat>, RuntimeError> {
    let path = format!("/proc/{pid}/stat");
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // ESRCH: it ended between open and read.
        Err(cause) if cause.kind() == ErrorKind::NotFound || cause.raw_os_error() == Some(3) => return Ok(None),
        Err(cause) => return Err(io_error("cannot read", Path::new(&path), &cause)),
    };
    let unreadable = || error(RuntimeErrorKind::Failed, format!("{path} reads like nothing known"));
    // The name in parentheses may itself hold spaces and parentheses: what counts comes after the last one.
    let (_, rest) = text.rsplit_once(')').ok_or_else(unreadable)?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let state = fields.first().and_then(|field| field.chars().next()).ok_or_else(unreadable)?;
    let group = fields.get(2).and_then(|field| field.parse().ok()).ok_or_else(unreadable)?;
    let start = fields.get(19).and_then(|field| field.parse().ok()).ok_or_else(unreadable)?;
    Ok(Some(Stat { state, group, start }))
}

fn boot() -> Result<String, RuntimeError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = fs::read_to_string(path).map_err(|cause| io_error("cannot read", path, &cause))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_given_away_is_not_the_same_process() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let me = identify(pid).unwrap();
        assert!(alive(&me).unwrap());
        assert!(!alive(&Process { start: me.start + 1, ..me.clone() }).unwrap(), "another start time");
        assert!(!alive(&Process { boot: "another".to_owned(), ..me }).unwrap(), "another run of the machine");
    }
}
