"""Parts of a text message: how many SMS a text becomes.

The GSM alphabet is that of the `gsm0338` codec. A text outside of it travels as UTF-16. One message holds
160 septets or 70 UTF-16 units; when it takes more, each part holds 153 or 67, and a character of two
septets or two units is never torn between parts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from gsm0338 import Codec

from connector.model.text import Template

Encoding = Literal["GSM", "UNICODE"]

GSM_SINGLE, GSM_PART = 160, 153
UNICODE_SINGLE, UNICODE_PART = 70, 67

_ESCAPE = "\x1b"


def _characters(lead: bytes) -> str:
    """The characters that the codec has behind a leading byte; the escape itself is none."""
    codec = Codec()
    found = (codec.decode(lead + bytes([code]), "ignore")[0] for code in range(0x80) if code != ord(_ESCAPE))
    return "".join(found).replace(_ESCAPE, "")


_PLAIN = re.escape(_characters(b""))
_EXTENDED = re.escape(_characters(_ESCAPE.encode()))

_is_plain = re.compile(f"[{_PLAIN}]*").fullmatch
_is_gsm = re.compile(f"[{_PLAIN}{_EXTENDED}]*").fullmatch
_extended = re.compile(f"[{_EXTENDED}]")
_astral = re.compile("[\U00010000-\U0010ffff]")


def encoding(text: str) -> Encoding:
    """How a text travels."""
    return "GSM" if _is_gsm(text) else "UNICODE"


def count_parts(text: str) -> int:
    """How many parts a text takes; an empty one takes one."""
    if _is_gsm(text):
        return _fill(_extended.sub(_ESCAPE + ".", text), _ESCAPE, GSM_SINGLE, GSM_PART)
    return _fill(_astral.sub(_ESCAPE + ".", text.replace(_ESCAPE, ".")), _ESCAPE, UNICODE_SINGLE, UNICODE_PART)


def _fill(units: str, opens_pair: str, single: int, part: int) -> int:
    """Parts for a text of which every character stands for one unit, `opens_pair` keeping the next with it."""
    if len(units) <= single:
        return 1
    parts = start = 0
    while start < len(units):
        parts += 1
        start += part - (units[start + part - 1 : start + part] == opens_pair)
    return parts


class PartCounter:
    """Counts the parts of one template for many rows, rendering only those where it matters.

    `defaults` are the values for rows that have none.
    """

    def __init__(self, template: Template, defaults: Mapping[str, str]) -> None:
        self._template = template
        self._defaults = defaults
        self._fallbacks = [defaults.get(name, "") for name in template.names]
        self._places = [template.names.index(name) for name in template.uses]
        self._once = template.uses == template.names
        literal = "".join(template.literals)
        self._length = len(literal)
        self._gsm = _is_gsm(literal) is not None
        self._extended = len(_extended.findall(literal))
        self._astral = len(_astral.findall(literal))

    def count(self, row: Sequence[str | None]) -> tuple[int, int]:
        """Parts and characters (code points) of the text for values in the order of the template's names."""
        values = row
        if None in values:
            values = [
                fallback if value is None else value for value, fallback in zip(row, self._fallbacks, strict=True)
            ]
        filled = "".join(values if self._once else [values[place] for place in self._places])  # type: ignore[arg-type, misc]
        characters = self._length + len(filled)
        if self._gsm:
            if _is_plain(filled):
                pairs = self._extended
            elif _is_gsm(filled):
                pairs = self._extended + len(_extended.findall(filled))
            else:
                pairs = -1
            if pairs >= 0:
                if characters + pairs <= GSM_SINGLE:
                    return 1, characters
                if not pairs:
                    return -(-characters // GSM_PART), characters
                return count_parts(self._template.render_row(row, self._defaults)), characters
        pairs = self._astral + len(_astral.findall(filled))
        if characters + pairs <= UNICODE_SINGLE:
            return 1, characters
        if not pairs:
            return -(-characters // UNICODE_PART), characters
        return count_parts(self._template.render_row(row, self._defaults)), characters
