# Sets $hydra; sourced by the scripts beside it, with $here as their folder. Built programs of this checkout go before the PATH.
PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:${HOME:-/nonexistent}/.cargo/bin"
export PATH
hydra=
for candidate in "${HYDRA_BIN:-}" "$here/../target/release/hydra" "$here/../target/debug/hydra"; do
  if [ -n "$candidate" ] && [ -x "$candidate" ]; then
    hydra=$candidate
    break
  fi
done
if [ -z "$hydra" ]; then
  hydra=$(command -v hydra) || {
    echo "hydra is neither built here nor on the PATH: cargo build --release -p hydra-cli" >&2
    exit 7
  }
fi
