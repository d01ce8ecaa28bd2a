//! `cargo xtask`: everything that is done to the house rather than in it.

fn main() -> std::process::ExitCode {
    xtask::run()
}
