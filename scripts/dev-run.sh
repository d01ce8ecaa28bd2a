#!/bin/sh
# One stage by hand: scripts/dev-run.sh STAGE --repo … --change …. Does nothing but find the program and start it.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=scripts/find-hydra.sh
. "$here/find-hydra.sh"
exec "$hydra" dev-run "$@"
