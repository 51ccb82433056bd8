#!/bin/sh
# Installs what the demo (`neighbours.sh demo`) or the tests (`neighbours.sh test`) need beside Rust,
# where this user may; names it otherwise.
set -u
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need bwrap bubblewrap
need git git
need cc "gcc libc6-dev"
if [ "${1:-test}" = test ]; then
    need ssh openssh-client
    [ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
    [ -x /usr/sbin/dropbear ] || missing="$missing dropbear-bin"
    need busybox busybox
    need mksh mksh
    need zsh zsh
    need faketime faketime
    need openssl openssl
    need docker-registry docker-registry
    # They judge what we push to a registry.
    need skopeo skopeo
    need zstd zstd
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
    # Looks at the pages of the dashboard.
    need chromium chromium
    # Tries the rules for alerts, and the units of the service.
    need promtool prometheus
    need systemd-analyze systemd
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
    # Only root starts a Docker Engine; it is one of the tests' own.
    if [ "$(id -u)" = 0 ]; then
        [ -x /usr/sbin/dockerd ] || need dockerd docker.io
        [ -x /usr/sbin/debootstrap ] || missing="$missing debootstrap"
        [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] ||
            missing="$missing debian-archive-keyring"
        # Lets the local cloud act as the user of an EFS access point.
        need bindfs bindfs
        [ -x /sbin/ip ] || need ip iproute2
        docker compose version >/dev/null 2>&1 || need docker-compose docker-compose
    fi
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing:$missing"
        # Runlevel 1: the servers are for the tests, and none is to start by itself.
        # shellcheck disable=SC2086  # several packages, several words
        apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "missing:$missing. On Debian: sudo apt-get install$missing"
        # The demo needs all of it; a test that lacks its neighbour says SKIPPED, but not in CI.
        [ "${1:-test}" = test ] && [ -z "${CI:-}" ] || exit 1
    fi
fi
if [ "${1:-test}" = test ]; then
    "$(dirname "$0")/conformance/install.sh" ||
        echo "boto3 or microburst could not be installed; the tests that need it say SKIPPED"
    "$(dirname "$0")/containers/install.sh" ||
        echo "ministack or its image could not be made; the tests that need them say SKIPPED"
    "$(dirname "$0")/infrastructure/install.sh" ||
        echo "cfn-lint or python-hcl2 could not be installed; the tests that need them say SKIPPED"
fi
