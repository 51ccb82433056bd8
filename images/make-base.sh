#!/bin/sh
# Makes the base of our images, `fargate-runner/base`, where no image can be pulled: Debian 12 with a
# certificate store, bash and a small init. It imports the image into the engine of DOCKER_HOST, unless the same
# one is there.
#
# It keeps the image's root in target/images/base.tar, so that another engine gets the same base at once.
# File and image are made again if this script changes, or another MIRROR or SNAPSHOT is given (see debian-tree.sh).
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
place="$here/../target/images"
tar="$place/base.tar"
image=fargate-runner/base:local
made_of=$({
    cat "$0" "$here/debian-tree.sh"
    echo "${MIRROR:-}" "${SECURITY_MIRROR:-}" "${SNAPSHOT:-}"
} | sha256sum | cut -c 1-64)
label=fargate-runner.base.made-of

make_tar() {
    tree=$(mktemp -d "$place/tree-XXXXXX")
    chmod 755 "$tree"
    trap 'rm -rf --one-file-system "$tree"' EXIT
    trap 'exit 1' HUP INT TERM
    echo "making the base image with debootstrap; this takes a minute or two"
    "$here/debian-tree.sh" "$tree" bash,ca-certificates,tini
    tar --create --file "$tar.new" --directory "$tree" --numeric-owner --sort=name \
        --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' .
    mv "$tar.new" "$tar"
    echo "$made_of" >"$tar.made-of"
}

is_imported() {
    [ "$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$image" 2>/dev/null)" = "$made_of" ]
}

is_imported && exit 0
mkdir -p "$place"
exec 9>"$place/base.lock"
flock 9
[ -f "$tar" ] && [ "$(cat "$tar.made-of" 2>/dev/null)" = "$made_of" ] || make_tar
docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["/bin/bash"]' \
    --change 'LABEL org.opencontainers.image.title="Debian 12, the base of the images of Fargate Runner"' \
    --change "LABEL $label=$made_of" \
    "$tar" "$image" >/dev/null
echo "$image is there"
