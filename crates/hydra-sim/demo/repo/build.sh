#!/bin/sh
# Puts library and command into one file, dist/slug, and tries it.
set -eu
cd "$(dirname "$0")"
mkdir -p dist
{
    echo '#!/bin/sh'
    cat lib/slug.sh
    grep -v -e '^#!' -e '^here=' -e '^\. ' bin/slug
} > dist/slug
test "$(sh dist/slug 'It works')" = it-works
