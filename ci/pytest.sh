# shellcheck shell=sh
# How the gates call pytest.

# $1: folder of tests; the rest goes to pytest. A selection (-k) that matches nothing there passes.
run_pytest() {
    cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
    folder=$1
    shift
    .venv/bin/python -m pytest "tests/$folder" "$@"
    status=$?
    case "$status $*" in "5 "*-k\ *) status=0 ;; esac
    exit "$status"
}
