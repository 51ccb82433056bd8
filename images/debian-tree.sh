#!/bin/sh
# Makes the root of a small Debian system in FOLDER, with PACKAGES (names between commas) in it. It needs root,
# debootstrap and a mirror of Debian, and no container image. It does not make an image of the folder.
#
#   images/debian-tree.sh FOLDER PACKAGES
#
# SNAPSHOT=20260501T000000Z takes all packages as they were at that time, from snapshot.debian.org: the same
# packages each time. Without it they come from MIRROR and SECURITY_MIRROR as they are today. Without MIRROR,
# debootstrap chooses; without SECURITY_MIRROR, it is debian-security beside the mirror.
set -eu
umask 022
PATH="$PATH:/usr/sbin:/sbin"

tree=$1
packages=$2
suite=bookworm
mirror=${MIRROR:-}
security=${SECURITY_MIRROR:-}
if [ -n "${SNAPSHOT:-}" ]; then
    mirror="http://snapshot.debian.org/archive/debian/$SNAPSHOT"
    security="http://snapshot.debian.org/archive/debian-security/$SNAPSHOT"
fi

if [ "$(id -u)" != 0 ]; then
    echo "making a Debian system in $tree: only root can; run this as root, or name another base in BASE" >&2
    exit 1
fi
if ! command -v debootstrap >/dev/null; then
    echo "making a Debian system in $tree: debootstrap is not installed; \`apt-get install debootstrap\` brings it" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
debootstrap --variant=minbase --include="$packages" "$suite" "$tree" ${mirror:+"$mirror"} >"$log" 2>&1 || {
    echo "making a Debian system in $tree: debootstrap failed; its last lines:" >&2
    tail -n 5 "$log" >&2
    exit 1
}

if [ -z "$mirror" ]; then
    mirror=$(awk '$1 == "deb" { print $2; exit }' "$tree/etc/apt/sources.list")
fi
mirror=${mirror%/}
security=${security:-${mirror%/*}/debian-security}

# An old snapshot says itself that it is no longer valid, so apt must not look at the date.
valid=${SNAPSHOT:+"[check-valid-until=no] "}
{
    echo "deb $valid$mirror $suite main"
    echo "deb $valid$mirror $suite-updates main"
    echo "deb $valid$security $suite-security main"
} >"$tree/etc/apt/sources.list"

# What nobody reads in a container stays out, here and in the layers that come on top. Licences stay.
cat >"$tree/etc/dpkg/dpkg.cfg.d/small-image" <<'EOF'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
EOF
find "$tree/usr/share/doc" ! -type d ! -name copyright -delete
for waste in var/cache/apt/archives var/lib/apt/lists usr/share/man usr/share/locale usr/share/info; do
    find "$tree/$waste" -mindepth 1 -delete
done
rm -f "$tree"/var/log/*.log "$tree/var/cache/apt"/*.bin
