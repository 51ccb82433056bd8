"""What was seen, as a sheet for people and as JSON; and the rows of the docs that it settles."""

import datetime
import json
import re

# The sentences of the docs that wait for a real account: fact -> file, heading above the sentence.
PENDING_ROWS = {
    "host-key-sts": ("docs/LIMITS.md", "## The host key, in `sts` mode"),
    "efs-apply": ("docs/LIMITS.md", "## Shared folders on EFS"),
}
PENDING = "**Pending until it was seen on a real account.**"


class FactSheet:
    def __init__(self, place):
        self.place, self.day = place, datetime.date.today().isoformat()
        self.rows, self.times = [], []

    def seen(self, fact, text):
        self.rows.append({"fact": fact, "seen": True, "what": text})
        print(f"  seen: {fact}: {text}", flush=True)

    def unseen(self, fact, why):
        self.rows.append({"fact": fact, "seen": False, "what": why})
        print(f"  not seen: {fact}: {why}", flush=True)

    def took(self, phase, seconds):
        self.times.append({"phase": phase, "seconds": round(seconds, 1)})
        print(f"  {phase}: {seconds:.1f} s", flush=True)

    def known(self, fact):
        return any(row["fact"] == fact and row["seen"] for row in self.rows)

    def text(self):
        lines = [f"# Seen on {self.place}, {self.day}", "", "| fact | seen | what |", "|---|---|---|"]
        for row in self.rows:
            what = row["what"].replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {row['fact']} | {'yes' if row['seen'] else 'no'} | {what} |")
        lines += ["", "| phase | seconds |", "|---|---|"]
        lines += [f"| {time['phase']} | {time['seconds']} |" for time in self.times]
        return "\n".join(lines) + "\n"

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "facts.md").write_text(self.text())
        whole = {"place": self.place, "date": self.day, "facts": self.rows, "times": self.times}
        (folder / "facts.json").write_text(json.dumps(whole, indent=1) + "\n")


def settle_docs(root, sheet):
    """Turns the sentences that waited for these facts; gives the files that were changed."""
    changed = []
    for fact, (name, heading) in PENDING_ROWS.items():
        if not sheet.known(fact):
            continue
        path = root / name
        text = path.read_text()
        before, found, after = text.partition(heading)
        section, more, rest = after.partition("\n## ")
        settled = re.sub(re.escape(PENDING), f"**Seen on AWS, {sheet.day}.**", section, count=1)
        if found and settled != section:
            path.write_text(before + heading + settled + more + rest)
            changed.append(name)
    return changed
