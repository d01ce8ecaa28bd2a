//! `hydra --help` against `docker --help`, cold: before each start the program's pages are dropped from the page cache.

use hydra_figures::{Aim, Figure, left_out, ratio};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const RUNS: usize = 31;

pub(crate) fn measure() {
    let hydra = PathBuf::from(env!("CARGO_BIN_EXE_hydra"));
    let Some(docker) = on_path("docker") else { return left_out("hydra --help against docker --help", "docker") };
    let client = Command::new(&docker).args(["version", "--format", "{{.Client.Version}}"]).output().unwrap();
    let client = String::from_utf8_lossy(&client.stdout).trim().to_owned();
    for (name, cold) in [("cold", true), ("warm", false)] {
        let [ours, theirs] = in_turns([&hydra, &docker], cold);
        let figure = Figure::new(
            &format!("`hydra --help`, {name}"),
            &format!("`docker --help` (CLI {client})"),
            ratio(ours, theirs),
            "",
        );
        let figure = if cold { figure.aim(Aim::AtMost(0.5)) } else { figure };
        let how = if cold {
            "each program's file is dropped from the page cache before it is started"
        } else {
            "all in memory"
        };
        figure
            .detail(format!(
                "medians of {RUNS}, in turns: {:.1} ms against {:.1} ms; {how}",
                ours.as_secs_f64() * 1e3,
                theirs.as_secs_f64() * 1e3
            ))
            .say();
    }
}

fn in_turns(programs: [&PathBuf; 2], cold: bool) -> [Duration; 2] {
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..=RUNS {
        for (program, took) in programs.iter().zip(&mut took) {
            if cold {
                forget(program);
            }
            let begun = Instant::now();
            let output = Command::new(program).arg("--help").stdin(Stdio::null()).output().unwrap();
            // The first round warms up what both share.
            if round > 0 {
                took.push(begun.elapsed());
            }
            assert!(output.status.success() && !output.stdout.is_empty(), "{}: {output:?}", program.display());
        }
    }
    took.map(|mut all| {
        all.sort_unstable();
        all[all.len() / 2]
    })
}

/// Drops a file from the page cache. Pages that are not written back, or that a process maps, would stay: nothing else runs these programs.
fn forget(program: &Path) {
    let file = File::open(program).unwrap();
    file.sync_all().unwrap();
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())?.canonicalize().ok()
}
