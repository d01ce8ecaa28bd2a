//! The peers, as Debian has them, each set up to let through one name, to keep nothing and to log nothing. Squid and tinyproxy are asked by
//! CONNECT; haproxy reads the name in the ClientHello and has the host's address in its configuration.

use crate::{
    contender::{Contender, Way},
    place::{Place, Process, until},
    server::{HOST, NAME, RESOLVER},
};
use hydra_figures::left_out;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A peer: its program, how it is started, and what it is told.
struct Peer {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    version: &'static str,
    way: Way,
    config: fn(&Path) -> String,
}

fn at(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, port).into()
}

/// Those that are installed, running. `folder` holds what they read.
pub(crate) fn start(place: &Place, folder: &Path) -> Vec<Contender> {
    let peers = [
        Peer {
            name: "squid",
            program: "squid",
            args: &["-N", "--foreground", "-f"],
            version: "--version",
            way: Way::Connect(at(3128)),
            config: squid,
        },
        Peer {
            name: "tinyproxy",
            program: "tinyproxy",
            args: &["-d", "-c"],
            version: "-v",
            way: Way::Connect(at(8888)),
            config: tinyproxy,
        },
        Peer {
            name: "haproxy",
            program: "haproxy",
            args: &["-db", "-f"],
            version: "-v",
            way: Way::Hello(at(8443)),
            config: haproxy,
        },
    ];
    peers.into_iter().filter_map(|peer| peer.start(place, folder)).collect()
}

impl Peer {
    fn start(&self, place: &Place, folder: &Path) -> Option<Contender> {
        let Some(version) = self.version() else {
            left_out(&format!("the gate against {}", self.name), &format!("the package {}", self.name));
            return None;
        };
        let config = folder.join(format!("{}.conf", self.name));
        fs::write(&config, (self.config)(folder)).unwrap();
        let resolvers = folder.join("resolv.conf");
        fs::write(&resolvers, format!("nameserver {}\n", RESOLVER.ip())).unwrap();
        // Its own view of the file system, in which the bench's resolver is the machine's.
        let line = format!(
            "mount --bind {} /etc/resolv.conf && exec {} {} {}",
            resolvers.display(),
            self.program,
            self.args.join(" "),
            config.display()
        );
        let mut command = place.command("unshare");
        command.args(["--mount", "sh", "-c", &line]).stdout(Stdio::null()).stderr(Stdio::null());
        let contender = Contender {
            name: format!("{} {version}", self.name),
            from: place.clone(),
            way: self.way,
            process: Some(Process::start(&mut command)),
        };
        until(self.name, || contender.serves());
        Some(contender)
    }
    /// The first word of what it says of itself that begins with a digit.
    fn version(&self) -> Option<String> {
        let said = Command::new(self.program).arg(self.version).output().ok()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        Some(number.split('-').next().unwrap_or(number).to_owned())
    }
}

fn squid(folder: &Path) -> String {
    format!(
        "http_port 127.0.0.1:3128\n\
         acl allowed dstdomain {NAME}\n\
         acl https port 443\n\
         http_access allow CONNECT allowed https\n\
         http_access deny all\n\
         dns_nameservers {}\n\
         max_filedescriptors 20000\n\
         pid_filename none\n\
         cache deny all\n\
         cache_mem 0\n\
         access_log none\n\
         cache_log /dev/null\n\
         cache_store_log none\n\
         netdb_filename none\n\
         pinger_enable off\n\
         shutdown_lifetime 0 seconds\n\
         visible_hostname bench\n\
         coredump_dir {}\n",
        RESOLVER.ip(),
        folder.display()
    )
}

fn tinyproxy(folder: &Path) -> String {
    let filter = folder.join("tinyproxy.filter");
    fs::write(&filter, format!("^{}$\n", NAME.replace('.', "\\."))).unwrap();
    format!(
        "Port 8888\n\
         Listen 127.0.0.1\n\
         Timeout 600\n\
         MaxClients 10000\n\
         LogFile \"/dev/null\"\n\
         LogLevel Critical\n\
         DisableViaHeader Yes\n\
         ConnectPort 443\n\
         Filter \"{}\"\n\
         FilterDefaultDeny Yes\n",
        filter.display()
    )
}

fn haproxy(_: &Path) -> String {
    format!(
        "global\n  \
           maxconn 9900\n\
         defaults\n  \
           mode tcp\n  \
           timeout connect 10s\n  \
           timeout client 10m\n  \
           timeout server 10m\n\
         frontend tls\n  \
           bind 127.0.0.1:8443\n  \
           tcp-request inspect-delay 10s\n  \
           tcp-request content accept if {{ req.ssl_hello_type 1 }}\n  \
           use_backend allowed if {{ req.ssl_sni -i {NAME} }}\n\
         backend allowed\n  \
           server host {HOST}:443\n"
    )
}
