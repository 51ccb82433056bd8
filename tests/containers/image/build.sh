#!/bin/sh
# Makes target/containers/image.tar: the root of an image as installations of GitLab's Fargate driver
# have it, Debian with a stock sshd, bash, git, and what stands in for `gitlab-runner`. It needs root,
# debootstrap and a mirror of Debian. Running it again does nothing, unless something here changed.
set -eu
umask 022
PATH="$PATH:/usr/sbin:/sbin"

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
place="${CARGO_TARGET_DIR:-$root/target}/containers"
helper="$root/tests/fixtures/helper"
image="$place/image.tar"
sshd="$root/images/ci-sshd"
debian="$root/images/debian-tree.sh"
made_of=$(cat "$0" "$debian" "$sshd/entrypoint.sh" "$sshd/sshd_config" "$helper/bin/gitlab-runner" | sha256sum)

mkdir -p "$place"
exec 9>"$place/image.lock"
flock 9
[ -f "$image" ] && [ "$(cat "$place/image.made-of" 2>/dev/null)" = "$made_of" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    echo "the image of the container tests is made by root with debootstrap" >&2
    exit 1
fi

tree=$(mktemp -d "$place/tree-XXXXXX")
chmod 755 "$tree"
trap 'rm -rf --one-file-system "$tree"' EXIT
trap 'exit 1' HUP INT TERM
echo "making the image of the container tests; this takes a minute or two"
"$debian" "$tree" openssh-server,git,bash,ca-certificates,tini,procps
# A host key that is part of an image is known to whoever has the image.
rm -f "$tree"/etc/ssh/ssh_host_*
mkdir -p "$tree/run/sshd" "$tree/builds" "$tree/cache"
install -m 755 "$sshd/entrypoint.sh" "$tree/usr/local/bin/entrypoint.sh"
install -m 644 "$sshd/sshd_config" "$tree/etc/ssh/sshd_config"
install -m 755 "$helper/bin/gitlab-runner" "$tree/usr/local/bin/gitlab-runner"
cp -R "$helper/artifacts" "$tree/usr/local/artifacts"
find "$tree/usr/share/zoneinfo" -mindepth 1 -delete
tar --create --file "$image.new" --directory "$tree" --numeric-owner \
    --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' .
mv "$image.new" "$image"
echo "$made_of" >"$place/image.made-of"
