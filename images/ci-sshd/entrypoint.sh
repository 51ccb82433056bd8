#!/bin/sh
# Starts sshd for one key, as GitLab's reference images for its Fargate driver do.
set -eu
if [ -z "${SSH_PUBLIC_KEY:-}" ]; then
    echo "Need your SSH public key as the SSH_PUBLIC_KEY environment variable." >&2
    exit 1
fi
(umask 077 && mkdir -p ~root/.ssh && printf '%s\n' "$SSH_PUBLIC_KEY" >~root/.ssh/authorized_keys)
unset SSH_PUBLIC_KEY
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
exec /usr/sbin/sshd -D -e
