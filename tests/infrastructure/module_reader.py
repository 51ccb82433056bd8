"""Reads the Terraform module into the same plain values as template_reader.py.

It evaluates nothing: expressions are texts, and their names are looked up. Which count a resource has is told as
the inputs that the expression leads to.
"""

import json
import re

import hcl2

DATA = {
    "data.aws_caller_identity": "aws:account",
    "data.aws_partition": "aws:partition",
    "data.aws_region": "aws:region",
    "data.aws_availability_zones": "aws:zones",
    "data.aws_ssm_parameter.manager_image": "var:manager_image",
}
NAME = re.compile(r"data\.aws_ssm_parameter\.manager_image|data\.\w+|aws_\w+\.\w+|var\.\w+|local\.\w+")


def bare(text):
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def expression(text):
    """The expression that hcl2 wraps; None for anything else."""
    if isinstance(text, str) and text.startswith("${") and text.endswith("}"):
        return text[2:-1]
    return None


def arguments(text):
    """The arguments of a call, split at the commas outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif not quoted and letter in "([{":
            depth += 1
        elif not quoted and letter in ")]}":
            depth -= 1
        elif not quoted and letter == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


class Module:
    def __init__(self, folder):
        self.variables, self.outputs, self.locals, self.resources = {}, {}, {}, {}
        for file in sorted(folder.glob("*.tf")):
            with file.open() as opened:
                whole = hcl2.load(opened)
            for block in whole.get("variable", []):
                self.variables.update({bare(name): body for name, body in block.items()})
            for block in whole.get("output", []):
                self.outputs.update({bare(name): body for name, body in block.items()})
            for block in whole.get("locals", []):
                self.locals.update(block)
            for block in whole.get("resource", []):
                for kind, named in block.items():
                    for name, body in named.items():
                        self.resources[(bare(kind), bare(name))] = body

    def name_atoms(self, name):
        if name.startswith("var."):
            return {f"var:{name[4:]}"}
        if name.startswith("local."):
            return self.atoms(self.locals[name[6:]])
        if name.startswith("data."):
            return {DATA[name]}
        return {f"res:{name.split('.')[1]}"}

    def normal_text(self, text):
        def replaced(found):
            return "{" + ",".join(sorted(self.of_expression(found[1]))) + "}"

        return re.sub(r"\$\{([^}]+)\}", replaced, text.replace('\\"', '"').replace("\\\\", "\\"))

    def of_expression(self, text):
        """What the expression mentions, in all branches; not what chooses the branch."""
        text = re.sub(r"[^?:()\[\],]*(?:\[[^\]]*\])*[^?:()\[\],]*\?", "", text)
        found = set()
        for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', text):
            if quoted not in ("", ",", "/"):
                found.add(self.normal_text(quoted))
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
        for name in NAME.findall(unquoted):
            found |= self.name_atoms(name)
        return found

    def atoms(self, value):
        if isinstance(value, list):
            return set().union(*[self.atoms(item) for item in value]) if value else set()
        if isinstance(value, dict):
            inside = [item for key, item in value.items() if not key.startswith("__")]
            return set().union(*[self.atoms(item) for item in inside]) if inside else set()
        if isinstance(value, str):
            inner = expression(value)
            if inner is not None and not value.count("${") > 1:
                return self.of_expression(inner)
            return {self.normal_text(bare(value))} - {""}
        return set() if value is None else {str(value).lower()}

    def inputs_of(self, text):
        """The inputs that an expression leads to, what chooses a branch included."""
        found = set()
        for name in NAME.findall(re.sub(r'"(?:[^"\\]|\\.)*"', "", str(text))):
            if name.startswith("var."):
                found.add(name[4:])
            elif name.startswith("local."):
                found |= self.inputs_of(self.locals[name[6:]])
        return found

    def document(self, text):
        """A policy document in `jsonencode(...)`, as template_reader.Template.document gives it."""
        inner = expression(text)
        assert inner and inner.startswith("jsonencode("), f"jsonencode is expected: {str(text)[:60]}"
        whole = hcl2.loads("x = " + inner[len("jsonencode("):-1] + "\n")["x"]
        statements = []
        for item, decided_by in self.items(whole["Statement"]):
            statements.append((json.dumps(self.plain(item), sort_keys=True), decided_by))
        return statements

    def items(self, value):
        """The items of a list or of `concat(...)`, each with the inputs that decide whether it is there."""
        inner = expression(value)
        if inner is None:
            return [(item, []) for item in value]
        assert inner.startswith("concat("), f"concat is expected: {inner[:60]}"
        found = []
        for argument in arguments(inner[len("concat("):-1]):
            decided_by, listed = [], argument
            if not argument.startswith("["):
                condition, listed = argument.split("?", 1)
                decided_by = sorted(self.inputs_of(condition))
                listed = listed.rsplit(":", 1)[0].strip()
            found += [(item, decided_by) for item in hcl2.loads(f"x = {listed}\n")["x"]]
        return found

    def plain(self, value):
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return {bare(key): self.plain(item) for key, item in value.items() if not key.startswith("__")}
        inner = expression(value)
        if inner is None:
            return self.normal_text(bare(value)) if isinstance(value, str) else value
        if inner.startswith("concat("):
            return [
                {"decided_by": decided_by, "item": self.plain(item)} if decided_by else self.plain(item)
                for item, decided_by in self.items(value)
            ]
        return "{" + ",".join(sorted(self.of_expression(inner))) + "}"
