#!/bin/sh
# Puts ministack and the client of the Docker Engine, at the versions of images/ministack/requirements.txt, into
# target/ministack, and the image of the tests into target/containers. Running it again does nothing.
# `install.sh python` leaves out the image. It needs a python3 that has venv, a package index, and what
# image/build.sh needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place="${CARGO_TARGET_DIR:-$root/target}/ministack"
packages="$root/images/ministack/requirements.txt"

install_python() {
    cmp -s "$packages" "$place/installed" && return
    mkdir -p "$place"
    exec 9>"$place.lock"
    flock 9
    cmp -s "$packages" "$place/installed" && return
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$packages"
    cp "$packages" "$place/installed"
}

install_python
[ "${1:-}" = python ] || "$here/image/build.sh"
