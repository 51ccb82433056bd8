#!/bin/sh
# Makes what an installer takes, from binaries that are built: a Debian package, an archive, the list of what is
# compiled in (CycloneDX), and SHA256SUMS. It builds nothing and needs no network.
#
#   packaging/make-dist.sh PROGRAMS AGENT OUT
#
# PROGRAMS is the folder with fargate-runner and fargate-local, AGENT the static fargate-agent.
#   SOURCE_DATE_EPOCH  the time of all files (default: that of the last commit). With the same one, the same
#                      binaries give the same bytes.
#   COMPRESSION        that of the Debian package: xz (default), gzip, none
#   GZIP_LEVEL         of the archive, 1 to 9 (default)
set -eu
umask 022

if [ $# -ne 3 ] || [ ! -f "$1/fargate-runner" ] || [ ! -f "$2" ]; then
    echo "making the packages: the folder of the binaries, the static agent and a folder to write are expected; \`make dist\` names them" >&2
    exit 2
fi
programs=$1
agent=$2
mkdir -p "$3"
out=$(cd "$3" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
machine=$(uname -m)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Without what only a debugger reads.
install_program() {
    install -D -m 755 "$1" "$2"
    strip "$2"
}
install_text() { install -D -m 644 "$1" "$2"; }

# The oldest C library that has all functions that the program calls.
least_glibc() {
    objdump -T "$1" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1
}

make_tree() {
    tree=$1
    install_program "$programs/fargate-runner" "$tree/usr/bin/fargate-runner"
    # For images of jobs; it does not run here.
    install_program "$agent" "$tree/usr/lib/fargate-runner/fargate-agent"
    units=$tree/usr/lib/systemd/system
    for unit in fargate-runner.service fargate-runner-reap.service fargate-runner-reap.timer \
        gitlab-runner.service.d/fargate-runner.conf; do
        install_text "$root/packaging/systemd/$unit" "$units/$unit"
    done
    share=$tree/usr/share/fargate-runner
    install_text "$root/packaging/prometheus/alerts.yml" "$share/prometheus/alerts.yml"
    install_text "$root/packaging/grafana/fargate-runner.json" "$share/grafana/fargate-runner.json"
    doc=$tree/usr/share/doc/fargate-runner
    install_text "$root/LICENSE" "$doc/copyright"
    for text in README.md CHANGELOG.md NOTICE; do install_text "$root/$text" "$doc/$text"; done
    install_text "$root/crates/config/default-config.toml" "$doc/config-reference.toml"
    find "$root/docs" -name '*.md' | while read -r page; do
        install_text "$page" "$doc/docs/${page#"$root/docs/"}"
    done
    install -d -m 755 "$tree/etc/fargate-runner"
}

make_package() {
    tree=$work/package
    make_tree "$tree"
    mkdir "$tree/DEBIAN"
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
        -e "s/@GLIBC@/$(least_glibc "$tree/usr/bin/fargate-runner")/" \
        -e "s/@SIZE@/$(du -k --apparent-size -s "$tree" | cut -f 1)/" \
        "$root/packaging/debian/control" >"$tree/DEBIAN/control"
    for script in postinst prerm postrm; do
        install -m 755 "$root/packaging/debian/$script" "$tree/DEBIAN/$script"
    done
    dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$tree" \
        "$out/fargate-runner_${version}_$architecture.deb" >/dev/null
}

make_archive() {
    name=fargate-runner-$version-linux-$machine
    folder=$work/$name
    mkdir "$folder"
    for program in fargate-runner fargate-local; do
        install_program "$programs/$program" "$folder/$program"
    done
    install_program "$agent" "$folder/fargate-agent"
    for text in README.md CHANGELOG.md LICENSE NOTICE; do install_text "$root/$text" "$folder/$text"; done
    cp -R "$root/docs" "$root/packaging" "$folder/"
    tar --create --directory "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 \
        --numeric-owner --mode=u+w,go+rX,go-w --format=gnu "$name" | gzip --no-name "-${GZIP_LEVEL:-9}" >"$out/$name.tar.gz"
}

make_package
make_archive
"$root/packaging/bill-of-materials.sh" >"$out/fargate-runner-$version.cdx.json"
cd "$out"
sha256sum "fargate-runner_${version}_$architecture.deb" "fargate-runner-$version-linux-$machine.tar.gz" \
    "fargate-runner-$version.cdx.json" >SHA256SUMS
cat SHA256SUMS
