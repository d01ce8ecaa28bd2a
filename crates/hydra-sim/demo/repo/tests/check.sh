# check NAME EXPECTED ACTUAL: says what differs, and remembers that something did. `finish` ends the test.
bad=0
check() {
    if [ "$2" != "$3" ]; then
        echo "  $1: expected '$2', got '$3'"
        bad=1
    fi
}
finish() { exit "$bad"; }
