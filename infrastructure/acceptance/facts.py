"""What was seen, as a sheet for people and as JSON; and the rows of the docs that it settles."""

import datetime
import json
import re

# What stands for the day in a settled sentence.
DAY = "DAY"


class PendingRow:
    """A sentence of the docs that waits for a real account, what it becomes, and the facts that must all be seen."""

    def __init__(self, file, pending, settled, *facts):
        self.file, self.pending, self.settled, self.facts = file, pending, settled, facts

    def found(self, text):
        """Where the sentence stands, however its lines are broken."""
        return list(in_words(self.pending).finditer(text))

    def is_settled(self, text):
        return in_words(self.settled, DAY, r"\d{4}-\d\d-\d\d").search(text) is not None


PENDING_ROWS = [
    PendingRow(
        "docs/LIMITS.md",
        "**Pending until it was seen on a real account.** It was tested with our local cloud, whose STS",
        "**Seen on AWS, DAY.** It is tested with our local cloud, whose STS", "host-key-sts"),
    PendingRow(
        "docs/OPERATIONS.md",
        "This mode is opt-in until it was seen on a real account.",
        "This mode is opt-in. It was seen on AWS, DAY.", "host-key-sts"),
    PendingRow(
        "docs/LIMITS.md",
        "**Pending until it was seen on a real account.** `efs` was tested",
        "**Seen on AWS, DAY.** `efs` is tested", "efs-apply"),
    PendingRow(
        "docs/LIMITS.md",
        "**No test has seen a real account yet.**",
        "**Seen on AWS, DAY**, once, by `make aws-acceptance`. No test reaches AWS.", "check-without-failure"),
    PendingRow(
        "docs/LIMITS.md",
        "**The template is pending until it was seen on AWS.**",
        "**The template was seen on AWS, DAY.**", "stack"),
    PendingRow(
        "docs/LIMITS.md",
        "**The manager host is pending until it was seen on AWS.**",
        "**The manager host was seen on AWS, DAY,** with no runner registered.", "manager-host"),
    PendingRow(
        "docs/FIRST_JOB.md",
        "Nobody has done it on AWS yet.",
        "Seen on AWS, DAY: steps 1, 3, 5, 6 and 8, and a job in the place of step 9, by `make aws-acceptance`.",
        "stack", "manager-host", "check-without-failure", "job"),
    PendingRow(
        "infrastructure/README.md",
        "**Nobody has made the stack on AWS yet.**",
        "**The stack was seen on AWS, DAY.**", "stack"),
]


def in_words(sentence, *replaced):
    """An expression for this sentence with any blanks between its words."""
    words = r"\s+".join(re.escape(word) for word in sentence.split())
    return re.compile(words.replace(*replaced) if replaced else words)


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
    """Turns the sentences that waited for these facts.

    Gives the files that were changed, and the sentences that were expected there once and are not.
    """
    changed, missing = [], []
    for row in PENDING_ROWS:
        if not all(sheet.known(fact) for fact in row.facts):
            continue
        path = root / row.file
        text = path.read_text()
        match row.found(text):
            case [found]:
                settled = row.settled.replace(DAY, sheet.day)
                path.write_text(text[:found.start()] + settled + text[found.end():])
                changed.append(row.file)
            case _ if not row.is_settled(text):
                missing.append(f"{row.file}: {row.pending}")
    return sorted(set(changed)), missing
