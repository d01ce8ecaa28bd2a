//! Who holds a lease: a name that is unique per process start, and whether a holder of this machine is gone.

use std::fs;

/// The name of this process as a lease's owner: `instance/host/pid-start`.
#[must_use]
pub fn this_process(instance: &str) -> String {
    let pid = std::process::id();
    format!("{instance}/{}/{pid}-{}", host(), start_time(pid).unwrap_or(0))
}

/// Whether `owner` was a process of this machine that does not run any more. An owner elsewhere, or one that cannot be read, is never gone.
#[must_use]
pub fn is_gone(owner: &str) -> bool {
    let mut parts = owner.rsplitn(3, '/');
    let (Some(process), Some(machine)) = (parts.next(), parts.next()) else { return false };
    let Some((pid, start)) = process.split_once('-') else { return false };
    let (Ok(pid), Ok(start)) = (pid.parse::<u32>(), start.parse::<u64>()) else { return false };
    // Without this machine's process table nothing can be said.
    if machine != host() || start_time(std::process::id()).is_none() {
        return false;
    }
    start_time(pid) != Some(start)
}

/// The machine with its boot: a container with the same host name, or the machine after a reboot, is another one only in its boot id.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')).take(60).collect();
    // Processes of another process namespace (a container) are not in our table: the namespace is part of the name.
    let space = fs::read_link("/proc/self/ns/pid").ok().and_then(|link| {
        let digits: String = link.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    });
    format!("{}.{}", if name.is_empty() { "unknown" } else { &name }, space.unwrap_or_else(|| "0".into()))
}

/// Start time of a process in clock ticks since boot: field 22 of its stat line.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_a_dead_one_of_this_machine_is_gone() {
        let me = this_process("test");
        assert!(!is_gone(&me));
        let (front, _) = me.rsplit_once('/').unwrap();
        assert!(is_gone(&format!("{front}/4194999-1")), "no such process");
        let (_, start) = me.rsplit_once('-').unwrap();
        assert!(
            is_gone(&format!("{front}/{}-{}1", std::process::id(), start)),
            "the number was given to another process"
        );
    }

    #[test]
    fn a_holder_elsewhere_is_never_gone() {
        assert!(!is_gone("test/elsewhere.1/4194999-1"));
        assert!(!is_gone("nonsense"));
        assert!(!is_gone(""));
    }
}
