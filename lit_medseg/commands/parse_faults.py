"""A parser's complaint as one line that names the key and the nearest right one."""

import ast
import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lit_medseg.commands.keys_of_class import keys_of_class, keys_of_group, nearest_class_path
from lit_medseg.errors import ConfigError, expected_got

_KEY_OR_CLASS = re.compile(r"Parser key \"([^\"]+)\":?|Problem with given class_path '([^']+)'")
_CALLABLE = re.compile(r"expects a function or a callable class: ")
_CALLABLE_CLASS = re.compile(r"Got value: Namespace\(class_path='([^']+)'")
_BOOLEANS = ("True", "False", "[True, False]", "[False, True]")
_MOST_NAMED = 12
_HELP = "See `python -m lit_medseg VERB --help`"
_LINE = re.compile(r"\s+")


@dataclass(frozen=True)
class _Place:
    """Where in the YAML a complaint is about.

    Attributes:
        key: Dotted, as the YAML nests it; empty for the top.
        class_path: The class whose arguments are meant; empty outside of any.
        said: The complaint about this place, without what stands around it.
    """

    key: str
    class_path: str
    said: str

    def below(self, name: str) -> str:
        """Give the full key of one that stands here."""
        if self.class_path:
            return f"{self.key}.init_args.{name}" if self.key else name
        return f"{self.key}.{name}" if self.key else name


def parse_fault(message: str, known_keys: Iterable[str]) -> ConfigError:
    """Turn what jsonargparse says into the house form.

    Args:
        message: The text of its `ArgumentError`, usually with one line for every type that a value could have had.
        known_keys: The dotted keys that the verb takes.

    Returns:
        An error that names the key, and for an unknown one the nearest that exists.
    """
    place = _place(message)
    fault = _unknown_key(place, list(known_keys)) or _missing_keys(place) or _wrong_class(place) or _wrong_value(place)
    if fault is None:
        text = _cut(place.said or message)
        fault = expected_got(place.key or "command line", "it cannot be read", "what --help lists", text, _HELP)
    return ConfigError(fault)


def _place(message: str) -> _Place:
    """Follow keys and classes from the outermost to the last one that the text names."""
    key, class_path, end = "", "", 0
    for found in _KEY_OR_CLASS.finditer(message):
        if found[1] is None:
            class_path = found[2]
        elif not key.endswith(found[1]) or class_path:
            inner = class_path or _CALLABLE.search(message, end, found.start())
            key = f"{key}.{'init_args.' if inner else ''}{found[1]}".lstrip(".")
            class_path = ""
        end = found.end()
    tail = _innermost(message[end:])
    if callable_class := _CALLABLE.search(tail):
        given = _CALLABLE_CLASS.search(tail)
        class_path, tail = given[1] if given else "", tail[callable_class.end() :]
    return _Place(key, class_path, tail)


def _innermost(tail: str) -> str:
    """Leave out what the parser tried beside and around the innermost value: lines that stand further left."""
    first, *lines = tail.split("\n")
    if first.strip(" :"):
        return tail
    indents = [len(line) - len(line.lstrip()) for line in lines]
    least = next((indent for line, indent in zip(lines, indents, strict=True) if line.strip()), 0)
    kept = [not line.strip() or indent >= least for line, indent in zip(lines, indents, strict=True)]
    return "\n".join(lines[: kept.index(False) if False in kept else None])


def _unknown_key(place: _Place, known: Sequence[str]) -> str | None:
    """Explain a key that does not exist."""
    said = place.said
    if found := re.search(r"(?:Subcommand '[^']+'|Group '([^']+)') does not accept option '([^']+)'", said):
        if found[1] is None:
            return _unknown_top(found[2], known)
        group = _Place(place.below(found[1]), "", said)
        return _unknown(group, found[2].split(".")[0], keys_of_group(place.class_path, found[1]))
    if found := re.search(r"Option '([^']+)' is not accepted", said):
        return _unknown(place, found[1].split(".")[0], keys_of_class(place.class_path))
    if found := re.search(r"unrecognized arguments: (\S+)", said):
        return _unknown_argument(place, found[1].split("=")[0], known)
    return None


def _unknown_argument(place: _Place, name: str, known: Sequence[str]) -> str:
    """Explain a word of the command line."""
    if not name.startswith("--"):
        todo = "Name a YAML with --config"
        return expected_got("command line", "a word without a key", "--config or another --key", repr(name), todo)
    if not place.class_path:
        return _unknown_top(name.lstrip("-"), known)
    group, _, key = name.lstrip("-").rpartition(".")
    if group:
        return _unknown(_Place(place.below(group), "", ""), key, keys_of_group(place.class_path, group))
    return _unknown(place, key, keys_of_class(place.class_path))


def _unknown_top(key: str, known: Sequence[str]) -> str:
    """Name the part of a dotted key that is wrong, with what its level has."""
    parts = key.split(".")
    for depth, part in enumerate(parts):
        stem = "".join(f"{name}." for name in parts[:depth])
        level = {name.removeprefix(stem).split(".")[0] for name in known if name.startswith(stem)}
        if part not in level:
            return _unknown(_Place(stem.rstrip("."), "", ""), part, level)
    return _unknown(_Place("", "", ""), key, known)


def _unknown(place: _Place, key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    what = f"unknown key of {place.class_path}" if place.class_path else "unknown key"
    near = difflib.get_close_matches(key, names, n=len(names), cutoff=0.0) if names else []
    if not near:
        return expected_got(place.below(key), what, "none", repr(key), f"Take it out. {_HELP}")
    named = names if len(names) <= _MOST_NAMED else near[:5]
    more = f" or {len(names) - len(named)} more" if len(named) < len(names) else ""
    return expected_got(
        place.below(key), what, f"one of {named}{more}", repr(key), f"Did you mean {near[0]!r}? Mend the key"
    )


def _missing_keys(place: _Place) -> str | None:
    """Explain keys that must be there."""
    found = re.search(r"the following arguments are required: (.+)", place.said)
    if found is None:
        return None
    if not place.key:
        names = " and ".join(repr(name.rpartition(".")[2]) for name in found[1].split(", "))
        todo = "Give a YAML with --config: experiments/ has examples"
        return expected_got("configuration", "keys are missing", names, "none", todo)
    what = f"keys of {place.class_path} are missing" if place.class_path else "keys are missing"
    return expected_got(place.key, what, found[1].strip(), "none", "Add them under init_args")


def _wrong_class(place: _Place) -> str | None:
    """Explain a class that cannot be imported or is of the wrong kind."""
    where = f"{place.key}.class_path" if place.key else "class_path"
    said = place.said
    if place.class_path and re.search(r"has no attribute '(?!keys)|No module named|Unable to import", said):
        near = nearest_class_path(place.class_path)
        todo = f"Did you mean {near!r}? Mend the path" if near else "Mend the path, or install its package"
        return expected_got(where, "no such class", "one that can be imported", repr(place.class_path), todo)
    if found := re.search(r"Import path (\S+) does not correspond to a subclass of (\S+)", said):
        return expected_got(where, "a class of another kind", f"a child of {found[2]}", repr(found[1]), "Name another")
    wants_class = re.search(
        r"Not a valid subclass of (\S+)|Expected a dot import path string|object has no attribute", said
    )
    if wants_class and not _wanted(said):
        if foreign := _foreign_keys(said):
            return _unknown(_Place(place.key, "", ""), foreign[0], ("class_path", "init_args"))
        expected = "a dictionary of class_path and, within init_args, its arguments, and no other key"
        return expected_got(place.key, "no class with arguments", expected, _given(said), "Mend it")
    return None


def _foreign_keys(said: str) -> list[str]:
    """List what stands beside `class_path` and `init_args` in the given value; nothing where it is no class."""
    found = re.search(r"Given value: (\{.*)$", said, re.MULTILINE)
    try:
        value = ast.literal_eval(found[1]) if found else {}
    except (ValueError, SyntaxError):  # it holds more than plain data
        return []
    foreign = [str(key) for key in value if key not in ("class_path", "init_args")]
    return foreign if "class_path" in value or any("class" in key or "args" in key for key in foreign) else []


def _wrong_value(place: _Place) -> str | None:
    """Explain a value of the wrong type, a file that is not there, a YAML that is none."""
    said, where = place.said, place.key or "command line"
    if found := re.search(
        r"(File does not exist|Path is not a file|Unable to load config):? [\"']([^\"']+)[\"']", said
    ):
        return expected_got(_config_key(where), "no such file", "a YAML", found[2], "Correct the path")
    if found := re.search(r"(Unexpected|Problems parsing) config: ?(.*)", said, re.DOTALL):
        got = found[2].replace('in "<unicode string>", ', "at ")
        todo = "Write keys and values, see experiments/ for examples"
        return expected_got(
            "--config", "not the YAML of an experiment", "keys and values", _cut(got) or "nothing", todo
        )
    if found := re.search(r"argument ([\w/-]+): expected one argument", said):
        return expected_got(found[1].split("/")[-1], "no value", "one", "none", "Give one")
    wanted = _wanted(said)
    if not wanted:
        return None
    given = _given(said)
    todo = "Put it in quotes: YAML takes yes, no, on and off for true and false" if given in _BOOLEANS else "Correct it"
    return expected_got(where, "a value of the wrong type", " or ".join(wanted), given, f"{todo}. {_HELP}")


def _wanted(said: str) -> list[str]:
    """List the types that the value could have had, null last; none where only null is named."""
    lines = re.findall(r"Expected an? ((?:<class|typing\.|[\w.]+\[).+?)(?:\. Got value: .*)?$", said, re.MULTILINE)
    names = list(dict.fromkeys(_type_name(line) for line in lines))
    others = [name for name in names if name != "null"]
    return [*others, "null"] if others and "null" in names else others


def _config_key(where: str) -> str:
    return "--config" if where == "config" else where


def _type_name(said: str) -> str:
    """Write a type as a YAML's author thinks of it."""
    name = said.removeprefix("<class '").removesuffix("'>").strip()
    names = {"NoneType": "null", "int": "an integer", "float": "a number", "bool": "true or false", "str": "a text"}
    names |= {"dict": "a dictionary", "list": "a list", "tuple": "a list"}
    return names.get(name, name.removeprefix("typing.").replace("Literal[", "one of ["))


def _given(said: str) -> str:
    """Find the innermost value that was given."""
    found = re.search(r"Got value: (?!Namespace)(.*)$", said, re.MULTILINE)
    found = found or re.search(r"Given value: (.*?)(?:\. Got value: Namespace.*)?$", said, re.MULTILINE)
    text = found[1] if found else "another"
    nested = re.match(r"NestedArg\(key='[^']*', val=(.*)\)$", text)
    return _cut(nested[1] if nested else text, 100)


def _cut(text: str, most: int = 300) -> str:
    """Bring a text onto one line of bearable length."""
    line = _LINE.sub(" ", text).strip(" .-")
    return line if len(line) <= most else f"{line[:most]} ..."
