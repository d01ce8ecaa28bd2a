//! Network namespaces, the processes in them, and work that is done there.

use nix::sched::{CloneFlags, setns};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is killed when the bench is done with it.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
    /// Its memory now (VmRSS), in KiB.
    pub(crate) fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Whether this process may make namespaces.
pub(crate) fn may_be_made() -> bool {
    let tried = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The network namespace of a process.
#[derive(Debug, Clone)]
pub(crate) struct Place(u32);

impl Place {
    /// A new one, with nobody in it but one that sleeps.
    pub(crate) fn new() -> (Self, Process) {
        let made = Process::start(Command::new("unshare").args(["--net", "sleep", "1800"]));
        let place = Self::of(&made);
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until("a namespace", || fs::read_link(place.path()).is_ok_and(|its| its != own));
        place.unpaced();
        (place, made)
    }
    /// TCP as it is without a machine's own taste: some pace what they send, and then it is their clocks that are measured.
    pub(crate) fn unpaced(&self) {
        let line = "echo reno > /proc/sys/net/ipv4/tcp_congestion_control";
        assert!(self.command("sh").args(["-c", line]).status().unwrap().success());
    }
    pub(crate) fn of(process: &Process) -> Self {
        Self(process.id())
    }
    fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.0).into()
    }
    /// A command in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.0.to_string(), "--net", program]);
        command
    }
    /// One that must go well.
    pub(crate) fn run(&self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let output = self.command(words[0]).args(&words[1..]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    /// Goes there with this thread, which comes back no more.
    pub(crate) fn enter(&self) {
        setns(File::open(self.path()).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
    }
    /// Does something there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let there = || {
            self.enter();
            work()
        };
        std::thread::scope(|scope| scope.spawn(there).join()).unwrap()
    }
}

pub(crate) fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < PATIENCE, "{what} never comes");
        std::thread::sleep(Duration::from_millis(10));
    }
}
