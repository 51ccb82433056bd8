"""Reads the CloudFormation template into plain values: what each property mentions, and what it depends on.

A value becomes a set of atoms: `res:NAME` for a resource, `var:NAME` for an input, `aws:NAME` for what AWS knows by
itself, and literals. Names are in Terraform's spelling. Numbers at the end of a resource's name, which tell its
zone, are left out.
"""

import json
import re

import yaml

SPELLINGS = {"GitLabUrl": "gitlab_url"}
PSEUDO = {"AWS::Region": "aws:region", "AWS::AccountId": "aws:account", "AWS::Partition": "aws:partition"}


def snake(name):
    return SPELLINGS.get(name) or re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def label(logical_id):
    return snake(logical_id.rstrip("0123456789"))


class _Loader(yaml.SafeLoader):
    pass


def _tag(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def literal(value):
    return str(value).lower() if isinstance(value, (bool, int, float)) else str(value)


class Template:
    def __init__(self, path):
        self.text = path.read_text()
        self.whole = yaml.load(self.text, _Loader)
        self.parameters = self.whole["Parameters"]
        self.conditions = self.whole["Conditions"]
        self.resources = self.whole["Resources"]
        self.outputs = self.whole["Outputs"]

    def name_atom(self, name):
        name = name.split(".")[0]
        if name in PSEUDO:
            return PSEUDO[name]
        return f"var:{snake(name)}" if name in self.parameters else f"res:{label(name)}"

    def normal_text(self, text):
        return re.sub(r"\$\{([^}]+)\}", lambda found: "{" + self.name_atom(found[1]) + "}", text)

    def atoms(self, value):
        """What the value mentions, in all branches; not what chooses the branch."""
        if isinstance(value, list):
            return set().union(*[self.atoms(item) for item in value]) if value else set()
        if not isinstance(value, dict):
            return {literal(value)} if value != "" else set()
        if len(value) == 1:
            function, given = next(iter(value.items()))
            if function == "Ref":
                return set() if given == "AWS::NoValue" else {self.name_atom(given)}
            if function == "Fn::GetAtt":
                return {self.name_atom(given)}
            if function == "Fn::If":
                return self.atoms(given[1]) | self.atoms(given[2])
            if function == "Fn::Sub":
                text = given if isinstance(given, str) else given[0]
                return {self.normal_text(text)}
            if function == "Fn::Select":
                return self.atoms(given[1])
            if function == "Fn::Join":
                return self.atoms(given[1])
            if function == "Fn::GetAZs":
                return {"aws:zones"}
            if function == "Fn::Cidr":
                return self.atoms(given[0]) | {atom for atom in self.atoms(given[2]) if atom.startswith("var:")}
        return set().union(*[self.atoms(item) for item in value.values()])

    def inputs_of_condition(self, name):
        found = set()

        def walk(value):
            if isinstance(value, dict):
                for key, item in value.items():
                    if key == "Ref":
                        found.add(snake(item))
                    elif key == "Condition":
                        found.update(self.inputs_of_condition(item))
                    else:
                        walk(item)
            elif isinstance(value, list):
                for item in value:
                    walk(item)

        walk(self.conditions[name])
        return found

    def groups(self):
        """The resources, those of several zones together: label, type, list of properties, inputs that decide."""
        found = {}
        for logical_id, resource in self.resources.items():
            group = found.setdefault(label(logical_id), {"type": resource["Type"], "each": [], "decided_by": set()})
            group["each"].append(resource.get("Properties", {}))
            if "Condition" in resource:
                group["decided_by"] |= self.inputs_of_condition(resource["Condition"])
        return found

    def document(self, document):
        """A policy document: its statements as JSON texts, each with the inputs that decide whether it is there."""
        statements = []
        for statement in document["Statement"]:
            decided_by = []
            if "Fn::If" in statement:
                condition, statement, _ = statement["Fn::If"]
                decided_by = sorted(self.inputs_of_condition(condition))
            statements.append((json.dumps(self.plain(statement), sort_keys=True), decided_by))
        return statements

    def plain(self, value):
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            function, given = next(iter(value.items()))
            if function in ("Ref", "Fn::GetAtt"):
                return "{" + self.name_atom(given) + "}"
            if function == "Fn::Sub":
                return self.normal_text(given)
            if function == "Fn::If":
                condition, item, _ = given
                return {"decided_by": sorted(self.inputs_of_condition(condition)), "item": self.plain(item)}
        return {key: self.plain(item) for key, item in value.items()}
