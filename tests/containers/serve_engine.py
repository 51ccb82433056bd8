"""Serves a Docker Engine of its own and a registry with a password, for the local cloud's own tasks.

Started by tests/src/docker_engine.rs with the interpreter of target/ministack; the arguments are the
root of the image, and the agent. Writes one line of JSON to standard output once everything stands, and
lives until its standard input ends. A line `start` on its input starts the engine anew after a test has
killed it, and is answered by a line. What it ends and what it leaves alone is as in serve.py.
"""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request

import docker

import serve

AGENT_IMAGE = "ci/agent"
USER = "runner"
PASSWORD = "pass of the registry"
# The same, as htpasswd writes it.
PASSWORD_HASH = "$2b$05$abcdefghijklmnopqrstuulCKOHjqX7Q/q0Xr7.Mg6aVam48ZzAn6"
# Of the networks for private use; the engine takes one of these for each subnet of a cloud, unless it
# is in use on this machine.
POOL = "base=10.214.0.0/16,size=24"


class Engine:
    """A dockerd that can be killed and started again with the same containers."""

    def __init__(self, stack, folder, bridge_name):
        self.folder = folder
        self.bridge_name = bridge_name
        self.stack = stack
        self.start()

    def start(self):
        (self.folder / "dockerd.pid").unlink(missing_ok=True)
        self.client, self.host = serve.engine(
            self.stack, self.folder, self.bridge_name, "--default-address-pool", POOL)

    def pid(self):
        return int((self.folder / "dockerd.pid").read_text())

    def remove_all(self):
        """So that nothing outlives dockerd, even if a test has killed it."""
        if not serve.engine_lives(self.folder):
            with contextlib.suppress(serve.Missing, OSError):
                self.start()
        with contextlib.suppress(docker.errors.DockerException, OSError):
            serve.remove_containers(self.client)
            self.client.networks.prune()


def unmount(folder):
    """Takes away what a dockerd has mounted that was killed: nothing else would ever do so."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines()[::-1]:
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], **{**serve.TOOL, "check": False})


def registry(stack, folder):
    """Starts Debian's docker-registry with one user; gives its host and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "htpasswd").write_text(f"{USER}:{PASSWORD_HASH}\n")
    (folder / "registry.yml").write_text(json.dumps({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }))
    process = serve.started(
        stack, ["docker-registry", "serve", folder / "registry.yml"], folder / "registry.log")

    def answers():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=serve.PATIENCE_S).close()
        except urllib.error.HTTPError as refused:
            return refused.code
        return 200

    serve.until("docker-registry", answers, process)
    return f"127.0.0.1:{port}"


def load_for_arm(client, name, tag):
    """An image without files for another processor. Nothing of it ever runs."""
    layer = bytes(10240)
    config = json.dumps({
        "architecture": "arm64", "os": "linux", "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode()
    manifest = json.dumps([
        {"Config": "config.json", "RepoTags": [f"{name}:{tag}"], "Layers": ["layer.tar"]}]).encode()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for path, data in [
            ("config.json", config), ("layer.tar", layer), ("manifest.json", manifest)]:
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    client.images.load(content.getvalue())


def fill(client, host, agent):
    """Pushes the images; gives the id of the one with the agent."""
    serve.add_agent(client, agent)
    login = {"username": USER, "password": PASSWORD}
    name = f"{host}/{AGENT_IMAGE}"
    image = client.images.get(serve.AGENT_IMAGE)
    image.tag(name, "1")
    load_for_arm(client, name, "arm")
    for tag in ["1", "arm"]:
        for line in client.images.push(name, tag, auth_config=login, stream=True, decode=True):
            if "error" in line:
                raise serve.Missing(f"{name}:{tag} was not pushed: {line['error']}")
        client.images.remove(f"{name}:{tag}")
    return image.id


def stand(stack, tar, agent):
    folder = serve.own_folder(stack)
    # After the end of everything that is started below.
    stack.callback(unmount, folder)
    try:
        serve.check_machine(tar, agent)
        if shutil.which("docker-registry") is None:
            raise serve.Missing(
                "docker-registry is not installed; `apt-get install docker-registry` brings it")
        # Containers reach this machine by the bridge's address, whichever network they are in.
        bridge_name, address = serve.bridge(stack, folder)
        engine = Engine(stack, folder, bridge_name)
        stack.callback(engine.remove_all)
        serve.import_image(engine.client, tar)
        host = registry(stack, folder)
        image = fill(engine.client, host, agent)
        return engine, {
            "socket": engine.host.removeprefix("unix://"), "pid": engine.pid(),
            "host_address": address, "registry": host, "image": f"{host}/{AGENT_IMAGE}", "image_id": image,
            "username": USER, "password": PASSWORD,
        }
    except serve.Missing as missing:
        return None, {"missing": f"{missing}{serve.last_words(folder)}"}


def main():
    # Where Debian has dockerd and ip, and what a user's PATH may lack.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        engine, facts = stand(stack, *map(pathlib.Path, sys.argv[1:3]))
        print(json.dumps(facts), flush=True)
        for line in sys.stdin:
            if line.strip() == "start" and engine is not None:
                engine.start()
                print(json.dumps({**facts, "pid": engine.pid()}), flush=True)


if __name__ == "__main__":
    main()
