"""Texts with `${name}` parameters: reading and rendering."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_MARK = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


@dataclass(frozen=True)
class Template:
    """A text cut into what stands and what is filled in.

    `pieces` alternates: literal, name, literal, name, ..., literal.
    """

    pieces: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Template":
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
        return cls(tuple(pieces))

    @cached_property
    def literals(self) -> tuple[str, ...]:
        return self.pieces[::2]

    @cached_property
    def uses(self) -> tuple[str, ...]:
        """Every use of a parameter, in the order of the text."""
        return self.pieces[1::2]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters that the text uses, each once, in the order of first use."""
        return tuple(dict.fromkeys(self.uses))

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
