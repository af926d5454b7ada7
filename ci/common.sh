# shellcheck shell=bash disable=SC2034
# What ./bootstrap and ci/engine share.

PATH=$PATH:/usr/sbin:/sbin
cache=${HAM_CACHE:-${HOME:-/root}/.cache/ham}
as_root=()

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Fills as_root with what goes before a command that needs root; fails when there is no way.
find_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || return 1
    as_root=(sudo -n)
    sudo -n true 2>/dev/null && return 0
    as_root=(sudo)
    [ -t 0 ] && [ -t 2 ] # sudo can ask for the password
}
