#!/bin/sh
# Prints what is compiled into the binaries that we ship, as CycloneDX 1.5: each crate with version, licence and
# checksum. From Cargo.lock and `cargo tree`; it needs no network, and leaves out what only builds or tests use.
#   SOURCE_DATE_EPOCH  the time that it names
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
time=$(date --utc --date="@${SOURCE_DATE_EPOCH:-0}" +%Y-%m-%dT%H:%M:%SZ)
tree=$(cargo tree --locked --offline --package fargate-runner --package fargate-agent --package fargate-playground \
    --edges normal,no-proc-macro --prefix none --no-dedupe --format '{p}|{l}')
{
    awk '
        /^name = /     { gsub(/"/, "", $3); name = $3 }
        /^version = /  { gsub(/"/, "", $3); version = $3 }
        /^checksum = / { gsub(/"/, "", $3); print "C|" name "|" version "|" $3 }
    ' Cargo.lock
    # "aws-config v1.8.6 (/a/path)|Apache-2.0": our own crates have a path.
    printf '%s\n' "$tree" | sed -n 's/^\([^ ]*\) v\([^ |]*\)[^|]*|\(.*\)$/P|\1|\2|\3/p' | LC_ALL=C sort -u
} | awk -F '|' -v version="$version" -v time="$time" '
    BEGIN {
        printf "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n"
        printf "  \"metadata\": {\n    \"timestamp\": \"%s\",\n", time
        printf "    \"component\": {\"type\": \"application\", \"name\": \"fargate-runner\", \"version\": \"%s\"}\n  },\n", version
        printf "  \"components\": ["
    }
    $1 == "C" { checksum[$2 "|" $3] = $4 }
    $1 == "P" {
        printf "%s\n    {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\"", comma, $2, $3
        comma = ","
        # Licences are expressions of SPDX; old crates write "/" for "OR".
        gsub(/\//, " OR ", $4)
        if ($4 != "") printf ", \"licenses\": [{\"expression\": \"%s\"}]", $4
        sum = checksum[$2 "|" $3]
        if (sum != "") printf ", \"purl\": \"pkg:cargo/%s@%s\", \"hashes\": [{\"alg\": \"SHA-256\", \"content\": \"%s\"}]", $2, $3, sum
        printf "}"
    }
    END { printf "\n  ]\n}\n" }
'
