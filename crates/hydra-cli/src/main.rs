//! The `hydra` program: everything it does is in the library.

fn main() -> std::process::ExitCode {
    hydra_cli::main()
}
