"""Read rules from YAML. What is wrong in one is told with file and line, and every example is tried."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from aisbx.errors import PolicyError
from aisbx.inputs import Inputs
from aisbx.paths import read_own
from aisbx.policy.match import ASK, DECISIONS, Rule
from aisbx.policy.shell import Reader

FILE = "commands.yaml"
"""The user's rules, in the configuration's directory."""
BUILT_IN = Path(__file__).with_name("default.yaml")
_LISTS = ("program", "words", "options", "arguments", "paths", "match", "no_match")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True)
class Rules:
    """The user's come first, and the first rule that speaks of a command decides."""

    rules: tuple[Rule, ...]
    unreadable: str = ASK
    """The decision on what cannot be read."""


def load(directory: str) -> Rules:
    """Give the rules in force; PolicyError where one is wrong, ConfigError where the file is not the user's own."""
    path = Path(directory) / FILE
    text = read_own(path, Inputs(os.environ)) if directory else None
    own, settings = _read(text.decode(errors="replace"), str(path)) if text is not None else ([], {})
    built_in = _read(BUILT_IN.read_text(encoding="utf-8"), str(BUILT_IN))[0] if settings.get("defaults", True) else []
    seen: dict[str, str] = {}
    for rule in (*own, *built_in):
        if rule.id in seen:
            raise PolicyError(f"{rule.where}: the id {rule.id} is used at {seen[rule.id]} too", hint="ids are unique")
        seen[rule.id] = rule.where
    return Rules((*own, *built_in), str(settings.get("unreadable", ASK)))


def _read(text: str, path: str) -> "tuple[list[Rule], dict[str, object]]":
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: {error.problem}", hint="it must be YAML") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyError(f"{path}: cannot be read as YAML", hint="see docs/policies.md") from error
    rules: list[Rule] = []
    settings: dict[str, object] = {}
    for key, node in _pairs(root, path) if root is not None else ():
        if key == "rules" and isinstance(node, yaml.SequenceNode):
            rules = [_rule(each, path) for each in node.value]
        elif key == "defaults" and isinstance(node, yaml.ScalarNode) and node.value in {"true", "false"}:
            settings[key] = node.value == "true"
        elif key == "unreadable" and isinstance(node, yaml.ScalarNode) and node.value in DECISIONS:
            settings[key] = node.value
        else:
            raise _wrong(node, path, f"{key} is no key, or has no such value", "rules, defaults, unreadable")
    return rules, settings


def _rule(node: yaml.Node, path: str) -> Rule:
    texts: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for key, value in _pairs(node, path):
        if key in {"id", "decide", "reason"} and isinstance(value, yaml.ScalarNode):
            texts[key] = value.value
        elif key in _LISTS:
            lists[key] = tuple(_texts(value, path))
        else:
            raise _wrong(value, path, f"{key} is no key of a rule", f"id, decide, reason, {', '.join(_LISTS)}")
    if not _ID.fullmatch(texts.get("id", "")):
        raise _wrong(node, path, "a rule needs an id", "small letters, digits and dashes")
    if texts.get("decide") not in DECISIONS:
        raise _wrong(node, path, f"{texts['id']} decides nothing", f"decide: {', '.join(DECISIONS)}")
    if not lists.get("program") or not lists.get("match"):
        raise _wrong(node, path, f"{texts['id']} needs a program, and an example that it matches", "program, match")
    rule = Rule(**texts, **lists, where=f"{path}:{node.start_mark.line + 1}")  # pyright: ignore[reportArgumentType]
    _try_examples(rule)
    return rule


def _try_examples(rule: Rule) -> None:
    for examples, expected in ((rule.match, True), (rule.no_match, False)):
        for example in examples:
            if matches(rule, example) is not expected:
                said = "does not match" if expected else "matches"
                hint = "correct the rule or the example; no rule is in force until all examples hold"
                raise PolicyError(f"{rule.where}: {rule.id} {said} its example {example!r}", hint=hint)


def matches(rule: Rule, script: str) -> bool:
    """Say whether a rule speaks of a command of a script."""
    reader = Reader()
    reader.read(("sh", "-c", script), {}, "")
    return any(rule.speaks_of(found) for found in reader.found)


def _pairs(node: yaml.Node, path: str) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, path, "this is no table", "KEY: VALUE")
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise _wrong(key, path, f"{name} is there twice", "each key once")
        seen.add(name)
        yield name, value


def _texts(node: yaml.Node, path: str) -> Iterator[str]:
    for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if not isinstance(each, yaml.ScalarNode):
            raise _wrong(each, path, "this is no text", "a text, or a list of them")
        yield each.value


def _wrong(node: yaml.Node, path: str, what: str, known: str) -> PolicyError:
    return PolicyError(f"{path}:{node.start_mark.line + 1}: {what}", hint=f"there are: {known}; see docs/policies.md")
