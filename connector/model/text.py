"""Texts with `${name}` parameters: reading and rendering."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

HOST_TEXT = "${text}"
"""The text of messages whose whole text comes from the platform."""
_MARK = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


@dataclass(frozen=True)
class Template:
    """A text cut into what stands and what is filled in.

    `pieces` alternates: literal, name, literal, name, ..., literal.
    """

    pieces: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Parameters that are used beside the text, where it is one field of a message among others."""

    @classmethod
    def read(cls, text: str, also: tuple[str, ...] = ()) -> "Template":
        """Cut a text at its `${name}`s; `$${` stands for a literal `${`."""
        pieces = [""]
        end = 0
        for mark in _MARK.finditer(text):
            pieces[-1] += text[end : mark.start()]
            end = mark.end()
            name = mark.group(1)
            if name is None:
                pieces[-1] += "${"
            else:
                pieces += [name.strip(), ""]
        pieces[-1] += text[end:]
        return cls(tuple(pieces), also)

    @cached_property
    def literals(self) -> tuple[str, ...]:
        return self.pieces[::2]

    @cached_property
    def uses(self) -> tuple[str, ...]:
        """Every use of a parameter, in the order of the text."""
        return self.pieces[1::2]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters that are used, each once: those of the text in the order of first use, then the others."""
        return tuple(dict.fromkeys((*self.uses, *self.also)))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with every parameter put in; a value is never expanded again."""
        pieces = list(self.pieces)
        for place in range(1, len(pieces), 2):
            pieces[place] = values[pieces[place]]
        return "".join(pieces)

    def render_row(self, row: Sequence[str | None], defaults: Mapping[str, str]) -> str:
        """The text for values in the order of `names`."""
        return self.render(
            {
                name: defaults.get(name, "") if value is None else value
                for name, value in zip(self.names, row, strict=True)
            }
        )


def texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a message of several fields, with its path; keys are none."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from texts(item, (*path, place))


def parameters(value: Any) -> tuple[str, ...]:
    """The parameters that the texts of a message use, each once, in the order of first use."""
    return tuple(dict.fromkeys(name for _, text in texts(value) for name in Template.read(text).uses))


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """The same message with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: changed(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [changed(item, change) for item in value]
    return value
