"""Reading a YAML file strictly: one mapping at the top, no key twice, every failure an InputError."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sim_engine.errors import ABSENT, InputError, Problem


class _StrictLoader(yaml.SafeLoader):
    """YAML lets a key stand twice and keeps the last; a scenario must not lose a line like that."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"YAML reads the key {key_node.value} as {_kind(key)}: put it in quotes",
                    key_node.start_mark,
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' stands twice: keep one of them", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_PLAIN_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")


def _plain_integer(loader: _StrictLoader, node: yaml.ScalarNode) -> int:
    """A whole number written in plain digits; YAML would also read 010 as 8 and 12:30 as 750."""
    number = loader.construct_yaml_int(node)
    if not _PLAIN_INTEGER.fullmatch(node.value):
        said = f"YAML reads {node.value} as the number {number}: write it in plain digits, or put it in quotes"
        raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)
    return number


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _plain_integer)


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises InputError if the file cannot be read, is empty, is not YAML, says a key twice or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise InputError(path, [Problem("", ABSENT, f"cannot be read: {reason}; name a readable YAML file")]) from error
    try:
        loaded = yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(path, [Problem(place, ABSENT, _said(error))]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(path, [Problem("", ABSENT, f"not valid YAML: {error}")]) from error
    if loaded is None:
        raise InputError(path, [Problem("", ABSENT, "the file is empty; see scenarios/ for files to start from")])
    if not isinstance(loaded, dict):
        raise InputError(path, [Problem("", loaded, "the file must hold keys and values, such as 'name: my_scenario'")])
    return loaded


def _said(error: yaml.MarkedYAMLError) -> str:
    """What a person can do about a file that YAML cannot read."""
    if isinstance(error, yaml.constructor.ConstructorError):
        return str(error.problem)
    said = ": ".join(part for part in (error.context, error.problem) if part)
    return f"not valid YAML: {said}; check quotes, brackets and indentation there (blanks, no tabs)"


def _kind(key: object) -> str:
    """What YAML made of a key that is no text."""
    words = {None: "null", True: "true", False: "false"}
    if key is None or isinstance(key, bool):
        return words[key]
    return "a number" if isinstance(key, (int, float)) else f"a {type(key).__name__}"
