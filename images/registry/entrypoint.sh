#!/bin/sh
# Makes the password file of the registry from the secret REGISTRY_PASSWORD_FILE and starts the registry.
set -eu
user=${REGISTRY_USER:-ci}
file=${REGISTRY_PASSWORD_FILE:-/run/secrets/registry_password}
if [ ! -s "$file" ]; then
    echo "starting the registry: $file holds no password; mount one there, or name it in REGISTRY_PASSWORD_FILE" >&2
    exit 1
fi
umask 077
# From standard input, so that no command line holds it.
htpasswd -i -n -B "$user" <"$file" >/run/registry/htpasswd
exec docker-registry serve /etc/docker/registry/config.yml
