"""Serves a Docker Engine of its own with nothing on it, for docker-compose.yml.

Started by tests/src/plain_engine.rs with the interpreter of target/ministack. It writes one line of JSON to
standard output once the engine answers, lives until its standard input ends, and then ends what it started, as
serve.py does. Other than that engine, this one publishes ports and makes networks.
"""

import contextlib
import json
import os
import signal
import sys

import docker
import serve

# Networks that a composition makes; beside those of serve.NETWORKS.
POOL = "base=10.215.0.0/16,size=24"


def stand(stack):
    folder = serve.own_folder(stack)
    try:
        serve.check_programs()
        bridge_name, _ = serve.bridge(stack, folder)
        client, host = serve.engine(
            stack, folder, bridge_name, "--userland-proxy=true", "--default-address-pool", POOL)
        stack.callback(remove_networks, client)
        return {"docker_host": host}
    except serve.Missing as missing:
        return {"missing": f"{missing}{serve.last_words(folder)}"}


def remove_networks(client):
    """What a composition that failed left; the bridges would outlive dockerd."""
    serve.remove_containers(client)
    for network in client.networks.list():
        if network.name not in ("bridge", "host", "none"):
            with contextlib.suppress(docker.errors.APIError):
                network.remove()


def main():
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        print(json.dumps(stand(stack)), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
