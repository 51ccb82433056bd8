#!/bin/sh
# Builds our images, or those that are named, on the engine of DOCKER_HOST, by `fargate-runner image build`. It makes
# the base, unless BASE names another one. It builds no program and pushes nothing.
#
#   images/build.sh PROGRAMS [helper|ci|ci-node|ci-rust|ci-sshd|manager|ministack|postgres|registry|demo-job]...
#
# PROGRAMS is the folder with the binaries, such as target/dist.
#   FARGATE_AGENT  the static agent, where it is not in PROGRAMS
#   BASE           the image to build from (default: fargate-runner/base:local, which make-base.sh makes)
#   TAG            the tag of the images (default: local)
#   BUILD_NETWORK  the network of the build: `default`, `none`, or `host` where the engine has no other
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
network=${BUILD_NETWORK:-default}
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

# The configuration with one image of ours. What a job would need is not used here.
write_config() {
    cat <<EOF
config_version = 1
state_dir = "$root/target/images/state"

[defaults]
cluster = "none"
region = "eu-west-1"
subnets = ["subnet-00000000"]
security_groups = ["sg-00000000"]
task_definition = "none:1"

[image.$1]
repository = "fargate-runner.invalid/$1"
context = "$root"
dockerfile = "images/$1/Dockerfile"
manifest = "$root/target/images/images.json"
build_network = "$network"
build_args = [
    "BASE=$2",
    "PROGRAMS=target/images/programs",
    "VERSION=$version",
    "REVISION=$revision",
]
EOF
}

# What an image needs beside its Dockerfile.
prepare() {
    case $1 in
    ci | ci-node | ci-rust | helper) copy_program fargate-agent ;;
    demo-job) copy_program fargate-local ;;
    manager) copy_program fargate-runner ;;
    ministack) fetch_wheels ;;
    ci-sshd | postgres | registry) ;;
    *)
        echo "building the images: there is no image $1; there are ci, ci-node, ci-rust, ci-sshd, demo-job, helper," \
            "manager, ministack, postgres, registry" >&2
        exit 2
        ;;
    esac
}

build() {
    name=$1
    from=$base
    [ "$name" != demo-job ] || from=fargate-runner/manager:$tag
    log=$(mktemp)
    config=$(mktemp)
    write_config "$name" "$from" >"$config"
    status=0
    "$programs/fargate-runner" --config "$config" image build "$name" >"$log" 2>&1 || status=1
    if [ "$status" != 0 ]; then
        echo "building the image $name failed; its last lines:" >&2
        tail -n 30 "$log" >&2
    fi
    rm -f "$log" "$config"
    [ "$status" = 0 ] || exit "$status"
    [ "$tag" = local ] || docker tag "fargate-runner/$name:local" "fargate-runner/$name:$tag"
    echo "built fargate-runner/$name:$tag"
}

[ $# -gt 0 ] || set -- ci ci-node ci-rust ci-sshd helper manager ministack postgres registry
# Before the first build: the folder must not change while it is read.
for image in "$@"; do prepare "$image"; done
if [ ! -x "$programs/fargate-runner" ]; then
    echo "building the images: there is no $programs/fargate-runner; \`make dist\` builds it into target/dist" >&2
    exit 1
fi
# What DOCKER_HOST names, or the context of this user.
DOCKER_HOST=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
export DOCKER_HOST
[ "$base" != "$own_base" ] || images/make-base.sh
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
