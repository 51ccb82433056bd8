#!/bin/sh
# Builds our images, or those that are named, on the engine of DOCKER_HOST. It makes the base, unless BASE names
# another one. It builds no program and pushes nothing.
#
#   images/build.sh PROGRAMS [ci|ci-sshd|manager|ministack|registry|demo-job]...
#
# PROGRAMS is the folder with the binaries, such as target/dist.
#   FARGATE_AGENT  the static agent, where it is not in PROGRAMS
#   BASE           the image to build from (default: fargate-runner/base:local, which make-base.sh makes)
#   TAG            the tag of the images (default: local)
#   BUILD_NETWORK  the network of the build (docker build --network); `host` where the engine has no other
set -eu
umask 022

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
if [ $# -eq 0 ] || [ ! -d "$1" ]; then
    echo "building the images: the folder of the binaries is expected, such as target/dist; \`make dist\` makes it" >&2
    exit 2
fi
programs=$1
shift
own_base=fargate-runner/base:local
base=${BASE:-$own_base}
tag=${TAG:-local}
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

# A smaller copy, in a folder that the build may see (.dockerignore).
copy_program() {
    found="$programs/$1"
    # The agent of a build for development lies apart, as only that one is static.
    [ "$1" = fargate-agent ] && [ -n "${FARGATE_AGENT:-}" ] && found=$FARGATE_AGENT
    if [ ! -f "$found" ]; then
        echo "building the images: there is no $found; \`make dist\` builds it into target/dist" >&2
        exit 1
    fi
    mkdir -p target/images/programs
    copy="target/images/programs/$1"
    strip -o "$copy.new" "$found" 2>/dev/null || cp "$found" "$copy.new"
    mv "$copy.new" "$copy"
}

# Python packages from this host, if it can get them, so that the build needs no package index of its own.
fetch_wheels() {
    wheels=target/images/wheels
    cmp -s images/ministack/requirements.txt "$wheels/complete" && return
    rm -rf "$wheels"
    mkdir -p "$wheels"
    # Debian 12 has Python 3.11.
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_17_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)" --dest "$wheels" \
        --requirement images/ministack/requirements.txt 2>/dev/null; then
        cp images/ministack/requirements.txt "$wheels/complete"
    else
        echo "this host got no Python packages; the build of ministack gets them itself"
    fi
}

build() {
    name=$1
    from=$base
    case $name in
    ci) copy_program fargate-agent ;;
    manager) copy_program fargate-runner ;;
    demo-job)
        copy_program fargate-local
        from=fargate-runner/manager:$tag
        ;;
    ministack) fetch_wheels ;;
    ci-sshd | registry) ;;
    *)
        echo "building the images: there is no image $name; there are ci, ci-sshd, manager, ministack, registry, demo-job" >&2
        exit 2
        ;;
    esac
    log=$(mktemp)
    docker build ${BUILD_NETWORK:+--network "$BUILD_NETWORK"} --file "images/$name/Dockerfile" \
        --build-arg "BASE=$from" --build-arg PROGRAMS=target/images/programs \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --tag "fargate-runner/$name:$tag" . >"$log" 2>&1 || {
        echo "building the image $name failed; its last lines:" >&2
        tail -n 30 "$log" >&2
        rm -f "$log"
        exit 1
    }
    rm -f "$log"
    echo "built fargate-runner/$name:$tag"
}

[ "$base" != "$own_base" ] || images/make-base.sh
[ $# -gt 0 ] || set -- ci ci-sshd manager ministack registry
# At the same time, as most of a build waits for the network; but what is built from another image comes last.
jobs=""
last=""
for image in "$@"; do
    if [ "$image" = demo-job ]; then
        last=$image
    else
        build "$image" &
        jobs="$jobs $!"
    fi
done
failed=0
for job in $jobs; do wait "$job" || failed=$?; done
[ "$failed" = 0 ] || exit "$failed"
[ -z "$last" ] || build "$last"
