#!/bin/sh
# One cycle of Hydra, for cron. Does nothing but find the program and start it: cron gives neither a useful PATH nor a working folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=scripts/find-hydra.sh
. "$here/find-hydra.sh"
cd "$here/.."
exec "$hydra" poll "$@"
