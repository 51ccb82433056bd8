#!/bin/sh
# Puts the judges that others wrote in Python, at the versions of requirements.txt, into
# target/python. Running it again does nothing. It needs a python3 that has venv, and a package index.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place="${CARGO_TARGET_DIR:-$root/target}/python"
stamp="$place/installed"

cmp -s "$here/requirements.txt" "$stamp" && exit 0
mkdir -p "$place"
exec 9>"$place.lock"
flock 9
cmp -s "$here/requirements.txt" "$stamp" && exit 0
python3 -m venv "$place"
# Not the program pip, whose first line names the folder that it was first installed in.
"$place/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
cp "$here/requirements.txt" "$stamp"
