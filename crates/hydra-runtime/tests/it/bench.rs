//! What the contract suite needs of a test: jobs as small shell scripts, the same for every runtime.

use crate::jobs::scripted;
use async_trait::async_trait;
use hydra_core::{
    contract::runtime::{Behaviour, Fixture},
    job::{ImageRef, JobKey, JobSpec},
    ports::Runtime,
};
use std::{fmt::Write, time::Duration};

/// Three views of one place.
pub(crate) struct Bench<R> {
    pub(crate) first: R,
    pub(crate) second: R,
    pub(crate) stranger: R,
    pub(crate) image: ImageRef,
}

#[async_trait]
impl<R: Runtime> Fixture for Bench<R> {
    fn runtime(&self) -> &dyn Runtime {
        &self.first
    }
    fn second(&self) -> &dyn Runtime {
        &self.second
    }
    fn stranger(&self) -> &dyn Runtime {
        &self.stranger
    }
    fn spec(&self, key: JobKey, does: &Behaviour) -> JobSpec {
        scripted(key, &self.image, &script(does))
    }
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

fn script(does: &Behaviour) -> String {
    match does {
        Behaviour::Exits(code) => format!("exit {code}\n"),
        Behaviour::Prints { stdout, stderr } => {
            let mut text = String::new();
            for (lines, to) in [(stdout, 1), (stderr, 2)] {
                for line in lines {
                    writeln!(text, "printf '%s\\n' '{line}' >&{to}").unwrap();
                }
            }
            text
        }
        Behaviour::Writes(files) => {
            let mut text = "out=$1\n".to_owned();
            for (path, content) in files {
                let content = std::str::from_utf8(content).unwrap();
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                writeln!(text, "mkdir -p \"$out/{folder}\"\nprintf '%s' '{content}' >\"$out/{path}\"").unwrap();
            }
            text
        }
        Behaviour::WritesLink => "ln -s /etc/hostname \"$1/link\"\n".to_owned(),
        Behaviour::WritesBig(size) => format!("head -c {size} /dev/zero >\"$1/big.bin\"\n"),
        Behaviour::Runs => "echo ready\nexec sleep 600\n".to_owned(),
        Behaviour::IgnoresInterrupt => "trap '' INT\necho ready\nsleep 600\n".to_owned(),
    }
}
