"""Config dataclasses as flags of the command line, built once from their fields and the sentence under each.

``training``, ``data``, ``augmentation``, ``learning`` and ``saving`` lose their name (``--minutes``), the
others keep it (``--optimizer.lr``), and a model's block and patches are part of it (``--model.dim``).  Only
what was typed is handed on, so that it can be laid over a recipe.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import textwrap
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeAlias, cast, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from qkvae.config import TASKS

Settings: TypeAlias = dict[str, Any]
"""Settings by name, nested as the config classes are."""

UNNAMED = ("data", "augmentation", "learning", "start", "training", "saving", "block", "patches", "pictures")
"""Groups whose fields are typed without the group's name."""

_GROUPS = ("training", *UNNAMED[:4], "model", "optimizer", "saving", "generation")
"""The order in which the help shows the groups."""

DERIVED = (
    ("model", "vocab"),
    ("model", "marks"),
    ("model", "segments"),
    ("model", "head", "count"),
    ("model", "shape"),
    ("model", "classes"),
    ("model", "categories"),
    ("model", "patches", "size"),
    ("model", "patches", "channels"),
    ("data", "paths"),
)
"""Fields that no flag sets: they come from the data, or are the command's arguments."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One setting as the user types it."""

    path: tuple[str, ...]
    """Where it stands in the config, for example ``("model", "block", "dim")``."""

    hint: Any
    """Its type."""

    default: Any
    """The value when nobody sets it; shown in the help."""

    help: str
    """Its sentence."""

    @property
    def name(self) -> str:
        """How it is typed.

        >>> Flag(path=("model", "block", "key_heads"), hint=int, default=1, help="").name
        '--model.key-heads'
        """
        return "--" + ".".join(part for part in self.path if part not in UNNAMED).replace("_", "-")

    @property
    def key(self) -> str:
        """A Python name for it."""
        return "_".join(self.path)


@functools.cache
def field_help(kind: type) -> dict[str, str]:
    """The sentence under every field of a config class and of those it extends, read from their source.

    >>> from qkvae.config import Generation
    >>> field_help(Generation)["nbest"]
    'Answers given for each input, best first; at most beam.'
    """
    found = dict[str, str]()
    for base in reversed([base for base in kind.__bases__ if base is not object]):
        found |= field_help(base)
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]).body
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    found[field.target.id] = " ".join(text.split())
                case _:
                    pass
    return found


def paths_help(task: str) -> str:
    """What DATA may be for a task: the sentence under ``paths`` in its config."""
    return field_help(type(TASKS[task]().data))["paths"]


def flags_of(kind: type, path: tuple[str, ...] = (), default: Any = None) -> list[Flag]:
    """Every flag of a config class, its groups included; where a task's group may be of several classes,
    those of all of them (of two of one name that of its default), and where another group may, those of its
    default."""
    hints = get_type_hints(kind)
    default = kind() if default is None else default
    found: list[Flag] = []
    for field in fields(kind):
        here, hint, value = (*path, field.name), hints[field.name], getattr(default, field.name)
        if here in DERIVED:
            continue
        if is_dataclass(value):
            flags = {flag.name: flag for flag in flags_of(type(value), here, value)}
            for other in get_args(hint) if not path else ():
                flags = {flag.name: flag for flag in flags_of(other, here)} | flags
            found += flags.values()
        else:
            sentence = field_help(kind).get(field.name, "")
            found.append(Flag(path=here, hint=hint, default=value, help=sentence))
    return found


def with_flags(verb: Callable[..., int], flags: Collection[Flag]) -> Callable[..., int]:
    """The verb with a flag for every setting; those typed reach it as ``settings``."""
    own = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if p.name != "settings"]

    def command(*arguments: Any, **typed: Any) -> int:
        settings: Settings = {}
        for flag in flags:
            if flag.key in typed:
                assign(settings, flag.path, typed.pop(flag.key))
        return verb(*arguments, settings=settings, **typed)

    parameters = [*own, *(_parameter(flag) for flag in flags)]
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__doc__ = verb.__doc__
    return command


def assign(settings: Settings, path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path, making the groups on the way."""
    for part in path[:-1]:
        settings = settings.setdefault(part, {})
    settings[path[-1]] = value


def overlay(under: Settings, over: Settings) -> Settings:
    """Both, group by group; where both have a value, the one of ``over``.

    >>> overlay({"model": {"dim": 1, "depth": 2}}, {"model": {"dim": 3}})
    {'model': {'dim': 3, 'depth': 2}}
    """
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[name] = overlay(cast("Settings", below), cast("Settings", value)) if both else value
    return merged


def group(settings: Settings, name: str) -> Settings:
    """The settings of one group; empty when nothing is said about it."""
    found = settings.get(name)
    return cast("Settings", found) if isinstance(found, dict) else {}


def _parameter(flag: Flag) -> inspect.Parameter:
    many = any(get_origin(hint) is tuple for hint in (flag.hint, *get_args(flag.hint)))
    *prefix, last = flag.name.removeprefix("--").split(".")
    parameter = Parameter(
        name=flag.name,
        help=flag.help,
        group=_group(flag),
        consume_multiple=many,
        negative=f"--{'.'.join((*prefix, 'no-' + last))}" if flag.hint is bool else (),
        show_default=flag.default is not None and not many,
    )
    return inspect.Parameter(
        flag.key,
        inspect.Parameter.KEYWORD_ONLY,
        default=flag.default,
        annotation=Annotated[flag.hint, parameter],
    )


def _group(flag: Flag) -> Group:
    if len(flag.path) == 1:
        return Group("Settings", help="Those of the run if not given.", sort_key=10)
    first, last = flag.path[0], len(_GROUPS)
    return Group(first.capitalize(), sort_key=10 + (_GROUPS.index(first) if first in _GROUPS else last))
