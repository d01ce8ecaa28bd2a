//! What a job finds inside its container, and what shows outside.

use super::{Yard, docker, exit, output, ready};
use hydra_core::{
    job::{EnvValue, InputFile, Network},
    ports::Runtime,
};
use std::fs;

#[tokio::test]
#[ignore = "needs docker"]
async fn inside_it_is_bare() {
    let mut yard = Yard::new();
    let mut spec = yard.job(
        r#"
        echo "user $(id -u):$(id -g)"
        grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t '
        for place in / /in /spec; do touch "$place/x" 2>/dev/null && echo "$place can be written"; done
        for place in /tmp /workspace /out; do touch "$place/x" 2>/dev/null || echo "$place cannot be written"; done
        printf '#!/bin/sh\necho "a script runs"\n' > /workspace/s; chmod 755 /workspace/s; /workspace/s
        cp /workspace/s /tmp/s 2>/dev/null || cat /workspace/s > /tmp/s; chmod 755 /tmp/s
        /tmp/s 2>/dev/null || echo "no script runs in /tmp"
        mount | grep -E ' /(tmp|workspace) ' | sort | sed 's/.*on \(.*\) type tmpfs .*size=\([0-9]*k\).*/\1 \2/' 2>/dev/null
        grep model /etc/hosts | tr '\t' ' '
        ls /sys/class/net | tr '\n' ' '; echo
        stat -c '%u %a %n' /in /in/script.sh /spec/specs/a/spec.md /out
        "#,
    );
    spec.hosts.insert("model".to_owned(), "192.0.2.7".to_owned());
    yard.runtime.start(&spec).await.unwrap();
    let said = output(&yard.runtime, &spec).await;
    assert_eq!(
        said.join("\n"),
        "user 1000:1000\nCapPrm:0000000000000000\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n\
         a script runs\nno script runs in /tmp\n/tmp 16384k\n/workspace 32768k\n192.0.2.7 model\nlo \n\
         1000 755 /in\n1000 444 /in/script.sh\n1000 444 /spec/specs/a/spec.md\n1000 755 /out"
    );
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_container_that_fences_itself_is_uid_0_with_net_admin_and_nothing_else() {
    let mut yard = Yard::new();
    let network = format!("{}-net", yard.instance);
    let mut spec = yard.job(
        "id -u; grep -E '^(CapEff|CapBnd):' /proc/self/status | tr -d '\\t'; echo x > \"$1/x\"; stat -c '%u' /out /in",
    );
    spec.net_admin = true;
    spec.network = Network::Named(network.clone());
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
    let said = output(&yard.runtime, &spec).await;
    assert_eq!(said, ["0", "CapEff:0000000000001000", "CapBnd:0000000000001000", "0", "0"]);
    assert_eq!(yard.runtime.collect(&spec.key.id(), 10).await.unwrap().files["x"], b"x\n");
    yard.clear().await;
    docker(&["network", "rm", &network]);
}

#[tokio::test]
#[ignore = "needs docker"]
async fn limits_are_those_of_the_specification_and_of_the_engine() {
    let mut yard = Yard::new();
    let mut spec = yard.job("sleep 600");
    spec.limits.cpu_millis = 4_000_000;
    yard.runtime.start(&spec).await.unwrap();
    let cpus: u64 = docker(&["info", "-f", "{{.NCPU}}"]).parse().unwrap();
    let format = "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} \
                  {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Init}} {{.HostConfig.CapDrop}} {{json .HostConfig.CapAdd}} \
                  {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}} {{.HostConfig.AutoRemove}} {{.HostConfig.LogConfig.Type}}";
    let seen = docker(&["inspect", "-f", format, spec.key.id().as_str()]);
    let memory = 128 * 1024 * 1024;
    assert_eq!(
        seen,
        format!(
            "{}000000000 {memory} {memory} 64 true true [ALL] null [no-new-privileges] false false json-file",
            cpus
        )
    );
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_secret_is_in_the_job_s_environment_and_in_no_command_line() {
    let mut yard = Yard::new();
    let mut spec = yard.job("echo ${#TOKEN}; echo ready; sleep 600");
    let secret = "tok3n-0f-a-docker-kind";
    let value = secret.to_owned().into();
    spec.env.insert("TOKEN".to_owned(), EnvValue::Secret { credential: "git:builder".to_owned(), value });
    yard.runtime.start(&spec).await.unwrap();
    ready(&yard.runtime, &spec).await;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(secret), "in the command line of {:?}", entry.file_name());
    }
    let labels = docker(&["inspect", "-f", "{{json .Config.Labels}}", spec.key.id().as_str()]);
    assert!(!labels.contains(secret) && labels.contains("account:main,git:builder"), "{labels}");
    yard.runtime.stop(&spec.key.id(), std::time::Duration::ZERO).await.unwrap();
    assert_eq!(output(&yard.runtime, &spec).await, [secret.len().to_string(), "ready".to_owned()]);
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn a_large_input_arrives_whole_and_a_large_result_comes_back_whole() {
    let mut yard = Yard::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let content: Vec<u8> = (0..9_000_001u32).map(|at| (at % 251) as u8).collect();
    fs::write(file.path(), &content).unwrap();
    let mut spec = yard.job("mkdir -p \"$1/deep/er\"; cat /in/repo.bundle > \"$1/deep/er/copy\"");
    spec.inputs.insert("repo.bundle".to_owned(), InputFile::Path(file.path().to_owned()));
    yard.runtime.start(&spec).await.unwrap();
    assert_eq!(exit(&yard.runtime, &spec).await, (0, false));
    let collected = yard.runtime.collect(&spec.key.id(), 10_000_000).await.unwrap();
    assert!(collected.files["deep/er/copy"] == content);
    let small = yard.runtime.collect(&spec.key.id(), 9_000_000).await.unwrap();
    assert_eq!(small.too_large["deep/er/copy"], 9_000_001);
    yard.clear().await;
}

#[tokio::test]
#[ignore = "needs docker"]
async fn long_lines_and_unfinished_ones_are_given_as_they_are() {
    let mut yard = Yard::new();
    let spec = yard.job("head -c 200000 /dev/zero | tr '\\0' x; echo; echo err >&2; printf unfinished");
    yard.runtime.start(&spec).await.unwrap();
    let said = output(&yard.runtime, &spec).await;
    assert_eq!(said.iter().map(String::len).collect::<Vec<_>>(), [200_000, 10]);
    assert_eq!(output(&yard.runtime, &spec).await, said, "twice the same");
    yard.clear().await;
}
