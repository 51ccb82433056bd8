"""Builds the stack in an account, runs jobs in it, writes down what was seen, and takes everything down.

`make aws-acceptance` calls it; README.md beside it says what it needs and costs. With AWS_ENDPOINT_URL it goes to an
emulator: what that lacks is named, and nothing that was seen there counts as seen on AWS.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import sys
import tempfile
import time

import botocore.session

from facts import FactSheet, settle_docs
from host import ManagerHost, ThisMachine
from stack import Stack

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infrastructure/cloudformation/fargate-runner.yaml"
# How long the link to the archive may be used, in seconds.
LINK_TIME_S = 1800


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", required=True, help="image of the jobs, with bash, git and fargate-agent; no login")
    parser.add_argument("--programs", type=pathlib.Path, help="folder of fargate-runner and fargate-local, for --here")
    parser.add_argument("--dist", type=pathlib.Path, default=ROOT / "target/dist", help="what `make dist` made")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/aws-acceptance", help="folder for the facts")
    parser.add_argument("--here", action="store_true", help="run the driver here; this machine reaches the tasks")
    parser.add_argument("--write-docs", action="store_true", help="turn pending rows of the docs into seen ones")
    parser.add_argument("--zones", type=int, default=2, choices=[1, 2, 3])
    return parser.parse_args()


class Acceptance:
    def __init__(self, given):
        self.given = given
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL")
        self.session = botocore.session.Session()
        self.made_clients = {}
        self.name = f"fargate-acceptance-{secrets.token_hex(3)}"
        self.sheet = FactSheet("an emulator" if self.endpoint else "AWS")
        self.stack, self.bucket, self.host = None, None, None
        self.seen_tasks = set()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fargate-acceptance-"))

    def clients(self, service):
        if service not in self.made_clients:
            self.made_clients[service] = self.session.create_client(service)
        return self.made_clients[service]

    def phase(self, words):
        print(f"== {words}", flush=True)
        return Timed(self.sheet, words)

    def run(self):
        identity = self.clients("sts").get_caller_identity()
        print(f"as {identity['Arn']} in account {identity['Account']}, everything is named {self.name}", flush=True)
        with self.phase("building the stack"):
            self.build()
        with self.phase("until the manager host is ready"):
            self.prepare_host()
        self.check()
        self.job("first job", None)
        self.job("job with host_key sts", "sts")
        self.shared_folder()

    def build(self):
        emulated = self.endpoint is not None
        here = self.given.here or emulated
        parameters = {
            "Name": self.name, "TaskDefinitionFamily": self.name, "JobImage": self.given.image,
            "ZoneCount": str(self.given.zones), "MakeRegistrySecret": "false", "BackUpFileSystem": "false",
            "MakeManager": "false" if here else "true"}
        if not here:
            parameters |= self.upload()
        self.stack = Stack(self.clients, self.name, TEMPLATE, parameters, emulated)
        self.stack.create()
        self.sheet.seen("stack", f"{len(self.stack.outputs)} outputs; egress {self.stack.outputs.get('EgressAddresses')}")
        for kind in self.stack.by_api:
            self.sheet.unseen(kind, "the emulator's CloudFormation lacks it; made by the service's own API")
        for kind in self.stack.left_out:
            self.sheet.unseen(kind, "left out: this machine is the manager host, or the emulator lacks it")

    def upload(self):
        package = single(self.given.dist.glob("fargate-runner_*.deb"), "the Debian package of `make dist`")
        archive = single(self.given.dist.glob("fargate-runner-*.tar.gz"), "the archive of `make dist`")
        sums = dict(reversed(line.split()) for line in (self.given.dist / "SHA256SUMS").read_text().splitlines())
        s3 = self.clients("s3")
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.bucket = f"{self.name}-{secrets.token_hex(6)}"
        s3.create_bucket(Bucket=self.bucket, **place)
        for file in (package, archive):
            with file.open("rb") as opened:
                s3.put_object(Bucket=self.bucket, Key=file.name, Body=opened)
        self.archive = archive
        return {"PackageBucket": self.bucket, "PackageKey": package.name, "PackageSha256": sums[package.name]}

    def prepare_host(self):
        if "ManagerInstanceId" in self.stack.outputs:
            url = self.clients("s3").generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": self.archive.name}, ExpiresIn=LINK_TIME_S)
            self.host = ManagerHost(self.clients, self.stack.outputs["ManagerInstanceId"], url,
                                    self.archive.name.removesuffix(".tar.gz"))
        else:
            self.host = ThisMachine(self.given.programs or self.given.dist, self.folder)
        if not self.host.ready():
            raise RuntimeError("the manager host was not ready in time; its log is /var/log/cloud-init-output.log")
        if isinstance(self.host, ManagerHost):
            self.sheet.seen("manager-host", "it installed the package and wrote its configuration")
        else:
            self.sheet.unseen("manager-host", "there is none: the driver ran on this machine")
        if isinstance(self.host, ThisMachine):
            imported = self.host.run("fargate-runner", "config", "import-stack", self.name)
            if not imported.passed:
                raise RuntimeError(f"import-stack: {imported.both}")
            self.host.amend(lambda text: f'state_dir = "{self.folder}/state"\n{text}')
        checked = self.host.run("fargate-runner", "config", "check")
        if not checked.passed:
            raise RuntimeError(f"config check: {checked.both}")
        self.sheet.seen("import-stack", f"config check on {self.host.words} accepts what it wrote")
        if self.endpoint:
            # The image is on the emulator's engine only, so no registry knows its digest.
            self.host.amend(lambda text: text.replace("\nimage = ", "\npin_image = false\nimage = ", 1))
        self.host.amend(lambda text: text + '\n[profile.sts]\nhost_key = "sts"\n')

    def check(self):
        with self.phase("check"):
            checked = self.host.run("fargate-runner", "check", "-o", "json", limit_s=120)
        try:
            answer = json.loads(checked.out)
        except ValueError:
            self.sheet.unseen("check", first_line(checked.err) or "no answer")
            return
        words = answer.get("answer") or f"exit code {checked.status}"
        self.sheet.seen("check", f"exit code {checked.status}: {words}")
        if checked.status in (0, 2):
            self.sheet.seen("check-without-failure", "it found no failure in a stack that nobody has changed")
        else:
            self.sheet.unseen("check-without-failure", "it found a failure, or could not run; see check.json")
        (self.given.out / "check.json").write_text(json.dumps(answer, indent=1) + "\n")

    def job(self, what, profile):
        script = 'echo "a job on $(uname -m) with $(nproc) processors"; git --version; id -un'
        flags = ["--profile", profile] if profile else []
        with self.phase(what):
            ended = self.host.run("fargate-local", "job", "--config", str(self.host.config), *flags, script)
        log = self.given.out / f"{what.replace(' ', '-')}.log"
        log.write_text(ended.both)
        words = COLOURS.sub("", ended.both)
        ready = next((line for line in words.splitlines() if line.startswith("Ready in ")), "")
        phases = re.findall(r"(\w+) (\d+\.\d+)", ready.partition(": ")[2])
        for phase, seconds in phases:
            self.sheet.took(f"{what}, by the driver: {phase}", float(seconds))
        if not phases:
            self.sheet.unseen(f"phases of the start of the {what}, by the driver", "its log tells none")
        if profile == "sts":
            self.judge_proof(ended.passed, words)
        elif ended.passed:
            self.sheet.seen("job", ready or "it passed")
            if "proven by seed" in words:
                self.sheet.seen("host-key-seed", "the task proved its host key by the seed")
        else:
            self.sheet.unseen("job", f"it failed: {first_error(words)}; see {log.name}")
        self.tasks(what)

    def judge_proof(self, passed, words):
        proven = re.search(r"proven by the task role (\S+?)[,.]?(?:\s|$)", words)
        session = re.search(r"arn:\S+:assumed-role/\S+", words)
        if passed and proven:
            self.sheet.seen("host-key-sts", f"the driver took the proof: STS named the task role {proven[1]}")
            self.sheet.seen("sts-session-name", "the id of the task: the driver refuses a session of any other name")
            return
        self.sheet.unseen("host-key-sts", first_error(words))
        if session:
            self.sheet.seen("sts-session-name", f"{session[0]}, which the driver refused")
        else:
            self.sheet.unseen("sts-session-name", "no task got as far as to be named by STS")

    def shared_folder(self):
        """What an administrator does for a volume, from here; then a job that writes into it."""
        (self.folder / "administrator").mkdir()
        here = ThisMachine(self.given.programs or self.given.dist, self.folder / "administrator")
        steps = [("config", "import-stack", self.name), ("efs", "apply", "--yes"), ("efs", "plan")]
        for step in steps:
            with self.phase(" ".join(step[:2])):
                ended = here.run("fargate-runner", *step)
            if not ended.passed:
                self.sheet.unseen("efs-apply", f"{' '.join(step)}: {last_line(ended.both)}")
                return
            if step[0] == "config":
                here.amend(lambda text: f'state_dir = "{self.folder}/administrator/state"\n'
                                        + text.replace('#volumes = ["cache"]', 'volumes = ["cache"]'))
        self.host.amend(lambda text: text + '\n[profile.cache]\nvolumes = ["cache"]\n')
        script = "stat -f -c 'folder of type %T' /cache; touch /cache/seen && rm /cache/seen"
        with self.phase("job with a volume"):
            ended = self.host.run("fargate-local", "job", "--config", str(self.host.config), "--profile", "cache", script)
        (self.given.out / "job-with-a-volume.log").write_text(ended.both)
        if ended.passed and "folder of type nfs" in ended.both:
            self.sheet.seen("efs-apply", "`efs apply` made what a job needs, and the job wrote into its volume")
        else:
            self.sheet.unseen("efs-apply", f"a job wrote into no volume of NFS: {last_line(ended.both)}")
        self.tasks("job with a volume")

    def tasks(self, what):
        """What ECS tells of the tasks that have ended: times, reasons, session name."""
        ecs = self.clients("ecs")
        arns = ecs.list_tasks(cluster=self.name, desiredStatus="STOPPED")["taskArns"]
        described = ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"] if arns else []
        fresh = [task for task in described if task["taskArn"] not in self.seen_tasks]
        for task in fresh:
            self.seen_tasks.add(task["taskArn"])
            for phase, start, end in PHASES:
                missing = [moment for moment in (start, end) if moment not in task]
                if missing:
                    self.sheet.unseen(f"{what}, {phase}", f"ECS tells no {' and no '.join(missing)}")
                else:
                    self.sheet.took(f"{what}, {phase}", (task[end] - task[start]).total_seconds())
            self.sheet.seen(f"stop of the task of the {what}",
                            f"{task.get('stopCode', 'no stopCode')}: {task.get('stoppedReason', 'no stoppedReason')}")
        if not fresh:
            self.sheet.unseen(f"stop of the task of the {what}", "ECS lists no stopped task")

    def take_down(self):
        print("== taking everything down", flush=True)
        began = time.monotonic()
        left = self.stack.remove() if self.stack else []
        if self.bucket:
            left += self.remove_bucket()
        for file in sorted(self.folder.rglob("*"), reverse=True):
            with contextlib.suppress(OSError):
                file.rmdir() if file.is_dir() else file.unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        self.sheet.took("taking everything down", time.monotonic() - began)
        if left:
            print(f"left behind; everything of this run is named {self.name}:", *left, sep="\n  ", file=sys.stderr)
        else:
            print("nothing is left")
        return left

    def remove_bucket(self):
        s3 = self.clients("s3")
        try:
            for item in s3.list_objects_v2(Bucket=self.bucket).get("Contents", []):
                s3.delete_object(Bucket=self.bucket, Key=item["Key"])
            s3.delete_bucket(Bucket=self.bucket)
        except Exception as error:  # Whatever it is, the rest goes on, and a person reads it.
            return [f"the bucket {self.bucket}: {error}"]
        return []


# What a terminal shows as colours.
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Two times of a task, and what lies between them.
PHASES = [
    ("network interface", "createdAt", "pullStartedAt"),
    ("pull of the image", "pullStartedAt", "pullStoppedAt"),
    ("from the pull to RUNNING", "pullStoppedAt", "startedAt"),
    ("from RunTask to RUNNING", "createdAt", "startedAt"),
    ("stop", "stoppingAt", "stoppedAt"),
]


class Timed:
    def __init__(self, sheet, words):
        self.sheet, self.words = sheet, words

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        self.sheet.took(self.words, time.monotonic() - self.began)


def single(found, what):
    found = sorted(found)
    if len(found) != 1:
        raise RuntimeError(f"{what}: exactly one file is expected, there are {len(found)}; run `make dist`")
    return found[0]


def first_line(text):
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def first_error(text):
    """The first error of a job's log, with the line after it, which has the reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = next((at for at, line in enumerate(lines) if "error" in line.lower()), None)
    return last_line(text) if at is None else " ".join(lines[at:at + 2])


def last_line(text):
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing was said")


def stop(*_):
    raise KeyboardInterrupt


def main():
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    acceptance = Acceptance(given)
    status = 1
    try:
        acceptance.run()
        status = 0 if acceptance.sheet.known("job") else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except Exception as error:  # It is told, and then everything is taken down.
        print(f"error: {error}", file=sys.stderr)
        acceptance.sheet.unseen("the rest", str(error))
    finally:
        # A second Ctrl-C must not leave half of it behind.
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        left = acceptance.take_down()
        acceptance.sheet.write(given.out)
    print(f"the facts are in {given.out}/facts.md")
    if given.write_docs and not acceptance.endpoint:
        changed, missing = settle_docs(ROOT, acceptance.sheet)
        print("changed:", *changed or ["nothing"])
        for sentence in missing:
            print(f"not found, so it was not changed: {sentence}", file=sys.stderr)
    sys.exit(status or (1 if left else 0))


if __name__ == "__main__":
    main()
