"""Parts: the quick count agrees with a slow and obvious one."""

import pytest
from gsm0338 import Codec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.model.parts import PartCounter, count_parts, encoding
from connector.model.text import Template

CODEC = Codec()


def septets(text: str) -> list[int] | None:
    """The width of each character in the GSM alphabet; None where one isn't in it."""
    try:
        return [len(CODEC.encode(char)[0]) for char in text] if "\x1b" not in text else None
    except UnicodeEncodeError:
        return None


def slow(text: str) -> int:
    widths, single, part = septets(text), 160, 153
    if widths is None:
        widths, single, part = [len(char.encode("utf-16-le")) // 2 for char in text], 70, 67
    if sum(widths) <= single:
        return 1
    parts, room = 1, part
    for width in widths:
        if width > room:
            parts, room = parts + 1, part
        room -= width
    return parts


ALPHABETS = ["abc é@\n", "[]{}€^\x0c", "ab]", "çł`", "😀𝒳", "a😀", "\x1ba", "a€ł😀"]


@st.composite
def texts(draw: st.DrawFn) -> str:
    around = draw(st.sampled_from([0, 1, 67, 70, 134, 153, 160, 201, 306, 459]))
    length = max(0, around + draw(st.integers(-3, 3)))
    alphabet = draw(st.sampled_from(ALPHABETS))
    head = draw(st.text(alphabet, max_size=8))
    tail = draw(st.text(draw(st.sampled_from(ALPHABETS)), max_size=4))
    filler = draw(st.sampled_from(alphabet))
    return head + filler * max(0, length - len(head) - len(tail)) + tail


@given(texts())
@settings(max_examples=400)
@example("")
def test_parts_are_those_of_the_slow_count(text: str) -> None:
    assert count_parts(text) == slow(text)
    assert encoding(text) == ("UNICODE" if septets(text) is None else "GSM")


@pytest.mark.parametrize(
    ("text", "parts", "travels"),
    [
        ("", 1, "GSM"),
        ("a" * 160, 1, "GSM"),
        ("a" * 161, 2, "GSM"),
        ("a" * 306, 2, "GSM"),
        ("a" * 307, 3, "GSM"),
        ("€" * 80, 1, "GSM"),
        ("€" * 81, 2, "GSM"),
        # A part of 153 septets holds 76 pairs: one septet stays empty.
        ("€" * 152, 2, "GSM"),
        ("€" * 153, 3, "GSM"),
        ("a" * 152 + "€" + "a" * 152, 3, "GSM"),
        ("ł" * 70, 1, "UNICODE"),
        ("ł" * 71, 2, "UNICODE"),
        ("ł" * 134, 2, "UNICODE"),
        ("ł" * 135, 3, "UNICODE"),
        ("😀" * 35, 1, "UNICODE"),
        ("😀" * 36, 2, "UNICODE"),
        ("ł" * 66 + "😀" + "ł" * 66, 3, "UNICODE"),
        ("ç", 1, "UNICODE"),
        ("Ç", 1, "GSM"),
        ("\x1b", 1, "UNICODE"),
        ("`", 1, "UNICODE"),
        ("\t", 1, "UNICODE"),
    ],
)
def test_known_texts(text: str, parts: int, travels: str) -> None:
    assert (count_parts(text), encoding(text)) == (parts, travels)


TEMPLATES = [
    "Hi ${name}, your code is ${code}.",
    "${name}",
    "no parameter",
    "{${name}} ${code} ${name}",
    "zł ${code}",
    "😀 ${code}${name}",
    "a" * 155 + "${name}${code}",
    "a" * 150 + "€${name}" + "b" * 150,
]


@given(
    st.sampled_from(TEMPLATES),
    st.one_of(st.none(), texts()),
    st.one_of(st.none(), texts()),
    st.dictionaries(st.sampled_from(["name", "code"]), texts()),
)
@settings(max_examples=400)
def test_a_row_counts_like_its_rendered_text(
    text: str, name: str | None, code: str | None, defaults: dict[str, str]
) -> None:
    template = Template.read(text)
    given_values = {"name": name, "code": code}
    row = [given_values[used] for used in template.names]
    rendered = template.render_row(row, defaults)
    assert PartCounter(template, defaults).count(row) == (slow(rendered), len(rendered))


def test_pairs_of_the_text_and_of_the_values_add_up() -> None:
    counter = PartCounter(Template.read("[${name}"), {})
    assert counter.count(("€" + "a" * 156,)) == (1, 158)
    assert counter.count(("€" + "a" * 157,)) == (2, 159)


def test_a_value_that_looks_like_a_parameter_stays_as_it_is() -> None:
    counter = PartCounter(Template.read("${name}"), {"code": "x" * 500})
    assert counter.count(("${code}",)) == (1, 7)
