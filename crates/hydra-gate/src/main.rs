//! `hydra-gate`: see the library.

fn main() -> std::process::ExitCode {
    hydra_gate::run()
}
