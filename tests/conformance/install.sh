#!/bin/sh
# Puts boto3 and botocore, at the versions below, into target/python. Running it again does nothing.
# It needs a python3 that has venv, and a package index.
set -eu

wanted="boto3==1.44.5 botocore==1.44.5"

root=$(cd "$(dirname "$0")/../.." && pwd)
place="${CARGO_TARGET_DIR:-$root/target}/python"
stamp="$place/installed"

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
mkdir -p "$place"
exec 9>"$place.lock"
flock 9
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
python3 -m venv "$place"
# shellcheck disable=SC2086  # two requirements, two words
"$place/bin/pip" install --quiet --disable-pip-version-check $wanted
echo "$wanted" >"$stamp"
