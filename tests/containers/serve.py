"""Serves a Docker Engine of its own, ministack on it, and an installation as GitLab's guide makes it.

Started by tests/src/containers.rs with the interpreter of target/ministack; the arguments are the
root of the image and the agent for the second image. Writes one line of JSON
to standard output once everything stands, and lives until its standard input ends, however that
comes: then it ends what it started, each by its process id, and removes what it made. Another
engine of this machine is never touched: own folder, own socket, own bridge, no packet filter.
It starts no task itself and knows nothing of the product.
"""

import contextlib
import fcntl
import http.server
import io
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

import botocore.session
import docker

REGION = "eu-west-1"
CLUSTER = "ci"
IMAGE = "fargate-driver-debian:tests"
# The same with the agent in it, as the README says.
AGENT_IMAGE = "fargate-agent-debian:tests"
# What a mistyped tag looks like, in a registry that has no image at all.
MISSING = "acme/ci:mistyped"
CONTAINER = "ci-coordinator"
# Longest wait for a program to answer, and for its end.
PATIENCE_S = 60
GOODBYE_S = 20
# Between two looks at something that will come.
AGAIN_S = 0.02
# Of the networks for private use, where nobody else's test or bridge is likely to be.
NETWORKS = "10.213.0.0/16"
# Each run has a folder of this name among the temporary files, locked while it lives.
FOLDER = "fargate-containers-"
# Where files are in memory, and how much must be free there and altogether to put them there.
MEMORY = pathlib.Path("/dev/shm")
ROOM_BYTES = 2 << 30
TOOL = {"check": True, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}


class EmptyRegistry(http.server.BaseHTTPRequestHandler):
    """A registry of images that is there and knows none."""

    def do_GET(self):
        known = self.path == "/v2/"
        error = {"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}
        body = b"{}" if known else json.dumps({"errors": [error]}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Missing(Exception):
    """What this machine lacks; the words are for people."""


def until(what, look, alive):
    """Waits until `look` gives something; None and OSError mean not yet."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if (found := look()) is not None:
                return found
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise Missing(f"{what}: it ended with {alive.wait(AGAIN_S)}")
    raise Missing(f"{what}: not within {PATIENCE_S} s")


def started(stack, command, log, **environment):
    """A process that ends with this one, however this one ends."""
    out = stack.enter_context(open(log, "wb"))
    # The terminal's Ctrl-C is for the tests; the end of their input then reaches this process.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
        stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        env={**os.environ, **environment},
    )
    stack.callback(end, process)
    return process


def end(process):
    process.terminate()
    try:
        process.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def own_folder(stack):
    """A new folder, after the remains of runs that were killed are swept away.

    It lies in memory or among the temporary files: an engine writes much that nobody reads again,
    and the path of a socket has room for about a hundred bytes, which a target folder may not leave.
    """
    disk = pathlib.Path(tempfile.gettempdir())
    for former in [*disk.glob(f"{FOLDER}*"), *MEMORY.glob(f"{FOLDER}*")]:
        with contextlib.suppress(OSError), open(former / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not engine_lives(former):
                name = (former / "bridge").read_text()
                subprocess.run(["ip", "link", "delete", name], **{**TOOL, "check": False})
                shutil.rmtree(former, ignore_errors=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=FOLDER, dir=MEMORY if has_room() else disk))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    lock = stack.enter_context(open(folder / "lock", "wb"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder


def has_room():
    """Whether a folder in memory takes nothing that anybody else needs."""
    with contextlib.suppress(OSError):
        meminfo = pathlib.Path("/proc/meminfo").read_text()
        available = int(meminfo.split("MemAvailable:")[1].split()[0]) << 10
        free = shutil.disk_usage(MEMORY).free if MEMORY.is_mount() else 0
        return free >= ROOM_BYTES and available >= 2 * ROOM_BYTES
    return False


def engine_lives(folder):
    """Whether the dockerd of a former run is still at its end."""
    try:
        pid = (folder / "dockerd.pid").read_text().strip()
        return str(folder).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def bridge(stack, folder):
    """A bridge with a network that overlaps no other of this machine; its name and address."""
    taken = set()
    for line in subprocess.run(["ip", "-o", "-4", "addr"], **TOOL).stdout.splitlines():
        taken.add(ipaddress.ip_interface(line.split()[3]).network)
    for network in ipaddress.ip_network(NETWORKS).subnets(new_prefix=24):
        name = f"fgr{int(network.network_address) >> 8 & 0xFF}"
        if any(network.overlaps(other) for other in taken):
            continue
        address = str(network[1])
        # Whoever made the name first has the network; another run then takes the next one.
        # A hardware address that was not set would change with each task that comes or goes, and
        # tasks would not find this host for half a minute.
        hardware = "02:" + os.urandom(5).hex(":")
        made = subprocess.run(
            ["ip", "link", "add", name, "address", hardware, "type", "bridge"],
            **{**TOOL, "check": False})
        if made.returncode != 0 and "File exists" in made.stderr:
            continue
        if made.returncode != 0:
            raise Missing(f"no bridge could be made: {made.stderr.strip()}")
        (folder / "bridge").write_text(name)
        stack.callback(subprocess.run, ["ip", "link", "delete", name], **{**TOOL, "check": False})
        subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", name], **TOOL)
        subprocess.run(["ip", "link", "set", name, "up"], **TOOL)
        return name, address
    raise Missing(f"every network of {NETWORKS} is in use on this machine")


def engine(stack, folder, bridge_name, *more):
    """Starts dockerd, with more of its options where they are given; gives its client."""
    host = f"unix://{folder}/docker.sock"
    log = folder / "dockerd.log"
    process = started(stack, [
        "dockerd", "--host", host, "--data-root", folder / "data", "--exec-root", folder / "exec",
        "--pidfile", folder / "dockerd.pid", "--bridge", bridge_name, "--log-level", "warn",
        # Tasks and this host reach each other over the bridge. Nothing else is reached, so rules
        # and forwarding, which are the whole machine's, stay as they are.
        "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
        "--userland-proxy=false", *more,
    ], log)

    def answers():
        with contextlib.suppress(docker.errors.DockerException):
            return docker.DockerClient(base_url=host, timeout=PATIENCE_S)
        return None

    client = until("dockerd", answers, process)
    stack.callback(remove_containers, client)
    return client, host


def remove_containers(client):
    """So that no mount of a container outlives dockerd."""
    for container in client.containers.list(all=True, sparse=True):
        with contextlib.suppress(docker.errors.APIError):
            container.remove(force=True, v=True)


def import_image(client, tar):
    changes = [
        'ENTRYPOINT ["tini", "--", "/usr/local/bin/entrypoint.sh"]',
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    name, tag = IMAGE.split(":")
    with open(tar, "rb") as source:
        answer = client.api.import_image_from_data(source, repository=name, tag=tag, changes=changes)
    if IMAGE not in [tag for image in client.images.list() for tag in image.tags]:
        raise Missing(f"the image was not imported: {answer}")


def add_agent(client, agent):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(agent, "fargate-agent")
    container = client.containers.create(IMAGE)
    container.put_archive("/usr/local/bin", content.getvalue())
    container.commit(
        *AGENT_IMAGE.split(":"), changes='ENTRYPOINT ["/usr/local/bin/fargate-agent"]')
    container.remove()


def ministack(stack, folder, docker_host):
    """Starts ministack on a free port of loopback; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "DOCKER_HOST": docker_host, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION, "TMPDIR": str(folder), "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        # It would look for itself among the containers by this name.
        "HOSTNAME": "",
    }
    program = pathlib.Path(sys.executable).parent / "ministack"
    process = started(stack, [program], folder / "ministack.log", **environment)
    endpoint = f"http://127.0.0.1:{port}"

    def answers():
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=PATIENCE_S) as answer:
            return answer.read()

    until("ministack", answers, process)
    return endpoint


def registry(stack):
    """Serves the empty registry on a free port of loopback; gives its host and port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyRegistry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return f"127.0.0.1:{server.server_port}"


def installation(endpoint, registry_host):
    """A cluster, a network and task definitions, as GitLab's guide has them made."""
    session = botocore.session.Session()

    def client(service):
        return session.create_client(
            service, region_name=REGION, endpoint_url=endpoint,
            aws_access_key_id="test", aws_secret_access_key="test")

    ec2, ecs = client("ec2"), client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(
        VpcId=vpc, GroupName="ci", Description="tasks of CI jobs")["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    # The old driver names no launch type, so the cluster's own strategy must.
    ecs.create_cluster(
        clusterName=CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
    definitions = [("ci", IMAGE, CONTAINER), ("ci-agent", AGENT_IMAGE, "job"),
                   ("ci-missing", f"{registry_host}/{MISSING}", CONTAINER)]
    for family, image, container in definitions:
        ecs.register_task_definition(
            family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"],
            cpu="256", memory="512",
            containerDefinitions=[{
                "name": container, "image": image, "essential": True,
                "portMappings": [{"containerPort": 22}],
            }])
    return {"subnet": subnet, "security_group": group, "cluster": CLUSTER, "region": REGION,
            "container": CONTAINER, "task_definition": "ci", "missing_image": "ci-missing",
            "with_agent": "ci-agent"}


def check_programs():
    if os.geteuid() != 0:
        raise Missing("dockerd is started by root")
    for program, package in [("dockerd", "docker.io"), ("ip", "iproute2"), ("setpriv", "util-linux")]:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed; `apt-get install {package}` brings it")


def check_machine(tar, agent):
    check_programs()
    if not tar.is_file():
        raise Missing(f"{tar} is not there; tests/containers/install.sh makes it")
    if not agent.is_file():
        raise Missing(f"{agent} is not there; `make agent` builds it")


def serve(stack, tar, agent):
    folder = own_folder(stack)
    try:
        check_machine(tar, agent)
        bridge_name, address = bridge(stack, folder)
        client, docker_host = engine(stack, folder, bridge_name)
        import_image(client, tar)
        add_agent(client, agent)
        endpoint = ministack(stack, folder, docker_host)
        return {"endpoint": endpoint, "host_address": address, "log": str(folder / "ministack.log"),
                "docker_socket": docker_host.removeprefix("unix://"),
                **installation(endpoint, registry(stack))}
    except Missing as missing:
        return {"missing": f"{missing}{last_words(folder)}"}


def last_words(folder):
    """The end of the logs, which go with the folder."""
    words = ""
    for log in folder.glob("*.log"):
        lines = log.read_text(errors="replace").splitlines()[-3:]
        words += "".join(f"\n{log.name}: {line}" for line in lines)
    return words


def main():
    # Where Debian has dockerd and ip, and what a user's PATH may lack.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    # Leaves the stack, which ends everything, as the end of the input does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        print(json.dumps(serve(stack, *map(pathlib.Path, sys.argv[1:3]))), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
