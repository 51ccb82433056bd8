#!/bin/sh
# Puts the judges of infrastructure/, at the versions of requirements.txt, into target/infrastructure. Running it
# again does nothing. It needs a python3 that has venv, and a package index.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place="${CARGO_TARGET_DIR:-$root/target}/infrastructure"

cmp -s "$here/requirements.txt" "$place/installed" && exit 0
mkdir -p "$place"
exec 9>"$place.lock"
flock 9
cmp -s "$here/requirements.txt" "$place/installed" && exit 0
python3 -m venv "$place"
"$place/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
cp "$here/requirements.txt" "$place/installed"
