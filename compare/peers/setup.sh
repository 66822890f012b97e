#!/bin/sh
# Installs what the peers outside cargo need, where it may, and says plainly what stays out.
# Debian packages need root; uvloop goes into a virtual environment of its own in target/venv.
set -u
cd "$(dirname "$0")/.." || exit 1

# install PACKAGE: false where this script may not.
install() {
    [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ] || return
    echo "installing $1"
    [ -n "${updated-}" ] || { apt-get update -qq && updated=yes; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# has COMMAND PACKAGE: true when the command is there, if need be after installing it.
has() {
    command -v "$1" >/dev/null || { install "$2" && command -v "$1" >/dev/null; }
}

# out PEER REASON
out() {
    echo "stays out: $1 ($2)"
}

venv() {
    python3 -m venv --clear target/venv >/dev/null
}

uvloop() {
    target/venv/bin/python3 -c 'import uvloop' 2>/dev/null && return
    # Debian's Python has venv in a package of its own.
    venv 2>&1 || { install python3-venv && venv; } || return
    target/venv/bin/python3 -m pip install --quiet --disable-pip-version-check 'uvloop>=0.18'
}

if has python3 python3; then
    uvloop || out "uvloop and its same design" "it could not be installed into target/venv"
else
    out "asyncio, uvloop and their same design" "python3 is not installed: Debian package python3"
fi
has node nodejs || out node "node is not installed: Debian package nodejs"
has go golang-go || out "go and its same design" "go is not installed: Debian package golang-go"
has ncat ncat || out ncat "ncat is not installed: Debian package ncat"

for command in python3 target/venv/bin/python3 node go ncat; do
    command -v "$command" >/dev/null && echo "found: $command"
done
exit 0
