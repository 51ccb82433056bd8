"""Where the driver's commands run: on this machine, or on the manager host of the stack through Systems Manager."""

import base64
import os
import subprocess
import time

from botocore.exceptions import ClientError

POLL_S = 3
# The longest that a new host may take until it is a manager host, in seconds.
BOOT_TIME_S = 900


class Ended:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    @property
    def passed(self):
        return self.status == 0

    @property
    def both(self):
        return f"{self.out}\n{self.err}".strip()


class ThisMachine:
    """For an emulator, and for a machine inside of the VPC."""

    words = "this machine"

    def __init__(self, programs, folder):
        self.programs, self.config = programs, folder / "config.toml"

    def ready(self):
        return True

    def run(self, *command, limit_s=600, script=None):
        """One of our programs, with arguments."""
        program, *arguments = command
        began = time.monotonic()
        environment = {**os.environ, "FARGATE_RUNNER_CONFIG": str(self.config)}
        try:
            ended = subprocess.run(
                [str(self.programs / program), *arguments], capture_output=True, text=True, timeout=limit_s,
                stdin=subprocess.DEVNULL, env=environment, errors="replace")
        except FileNotFoundError as error:
            return Ended(127, "", str(error), time.monotonic() - began)
        except subprocess.TimeoutExpired:
            return Ended(124, "", f"it had not ended after {limit_s} s", time.monotonic() - began)
        return Ended(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)

    def amend(self, change):
        self.config.write_text(change(self.config.read_text()))


class ManagerHost:
    """The manager host of the stack. Nothing of a command is secret, because Systems Manager keeps it."""

    words = "the manager host"
    config = "/etc/fargate-runner/config.toml"

    def __init__(self, clients, instance, archive_url, folder_in_archive):
        self.ssm, self.instance = clients("ssm"), instance
        self.archive_url, self.folder = archive_url, folder_in_archive

    def ready(self):
        deadline = time.monotonic() + BOOT_TIME_S
        while time.monotonic() < deadline:
            known = self.ssm.describe_instance_information(
                Filters=[{"Key": "InstanceIds", "Values": [self.instance]}])["InstanceInformationList"]
            if known and known[0]["PingStatus"] == "Online" and self.shell("test -s " + self.config, 60).passed:
                fetched = self.shell(
                    f"curl -fsS -o /tmp/archive.tar.gz '{self.archive_url}' && tar -xzf /tmp/archive.tar.gz -C /opt "
                    f"&& cp /opt/{self.folder}/fargate-local /usr/local/bin/", 120)
                if fetched.passed:
                    return True
            time.sleep(POLL_S)
        return False

    def run(self, *command, limit_s=600):
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
        return self.shell(f"FARGATE_RUNNER_CONFIG={self.config} {quoted}", limit_s)

    def amend(self, change):
        text = base64.b64encode(change(self.shell(f"cat {self.config}", 60).out).encode()).decode()
        self.shell(f"echo {text} | base64 -d >{self.config}", 60)

    def shell(self, line, limit_s):
        began = time.monotonic()
        try:
            sent = self.ssm.send_command(
                InstanceIds=[self.instance], DocumentName="AWS-RunShellScript",
                Parameters={"commands": [line], "executionTimeout": [str(limit_s)]})["Command"]["CommandId"]
        except ClientError as error:
            return Ended(125, "", str(error), time.monotonic() - began)
        while time.monotonic() < began + limit_s + 60:
            time.sleep(POLL_S)
            try:
                seen = self.ssm.get_command_invocation(CommandId=sent, InstanceId=self.instance)
            except ClientError:
                continue
            if seen["Status"] in ("Success", "Failed", "TimedOut", "Cancelled"):
                status = seen["ResponseCode"] if seen["ResponseCode"] >= 0 else 124
                return Ended(status, seen["StandardOutputContent"], seen["StandardErrorContent"],
                             time.monotonic() - began)
        return Ended(124, "", f"no answer of Systems Manager after {limit_s} s", time.monotonic() - began)
