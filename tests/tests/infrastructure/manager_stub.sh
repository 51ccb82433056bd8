#!/bin/sh
# Stands for each program that the start script of the manager host calls. It writes down how it was called, and does
# what the script needs of that program. What is not named below is a program of the base system, which is then run.
name=${0##*/}
printf '%s\n' "$name $*" >>/played/calls
PATH=/usr/bin:/bin

last_of() { for last; do :; done; printf '%s' "$last"; }
after() {
    wanted=$1
    shift
    while [ "$1" != "$wanted" ]; do shift; done
    printf '%s' "$2"
}

case $name in
sleep | systemctl | gpg) ;;
curl) echo key >"$(after -o "$@")" ;;
snap) ln -s /played/stub /snap/bin/aws ;;
aws)
    # The role of a new host is not known everywhere at once.
    if [ ! -e /played/role-is-known ]; then
        : >/played/role-is-known
        echo "Unable to locate credentials" >&2
        exit 255
    fi
    case "$*" in
    "s3 cp "*) cat /played/package >"$(last_of "$@")" ;;
    *" --name /ci/outputs "*) cat /played/outputs.json ;;
    *" --name /ci/runner-token --with-decryption "*) cat /played/token ;;
    *) exit 2 ;;
    esac
    ;;
apt-get)
    case $(last_of "$@") in
    *.deb)
        cmp "$(last_of "$@")" /played/package || exit 100
        mkdir -p /etc/fargate-runner
        ln -sf /played/stub /played/bin/fargate-runner
        ;;
    gitlab-runner) ln -sf /played/stub /played/bin/gitlab-runner ;;
    esac
    ;;
fargate-runner) exec /driver "$@" ;;
gitlab-runner)
    if [ -e /played/gitlab-is-down ]; then
        echo "ERROR: Registering runner... failed" >&2
        exit 1
    fi
    [ "$CI_SERVER_TOKEN" = "$(cat /played/token)" ] || exit 3
    template=$(after --template-config "$@")
    {
        printf '\n[[runners]]\n  token = "%s"\n' "$CI_SERVER_TOKEN"
        tail -n +2 "$template"
    } >>/etc/gitlab-runner/config.toml
    ;;
*) exec "$name" "$@" ;;
esac
