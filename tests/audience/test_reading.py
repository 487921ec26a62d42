"""Recipients are read as a stream, from every form they come in, and what breaks a file names its line."""

import csv
import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.audience.reading import Row, read_file, read_recipients
from connector.model.errors import Fault, RecipientsError
from connector.model.recipient import Recipient

NUMBER = "+46701740605"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: str | bytes, name: str = "people.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def rows(path: str | Path, names: Sequence[str] = (), **options: Any) -> list[Row]:
    return list(read_file(path, **options).rows(names))


def fault(path: str | Path, **options: Any) -> Fault:
    with pytest.raises(RecipientsError) as caught:
        rows(path, **options)
    (only,) = caught.value.faults
    return only


def row(to: str = NUMBER, *values: str | None) -> Row:
    return (to, None, None, None, None, values)


CSV = 'to,customer_id,first_name,loyalty tier\n{},c-1,Zoë,gold\n{},c-2,"Li, Wei",\n'.format(NUMBER, "00 46 70")
READ = [
    (NUMBER, "c-1", None, None, None, ("Zoë", "gold", "Zoë")),
    ("00 46 70", "c-2", None, None, None, ("Li, Wei", None, "Li, Wei")),
]
NAMES = ("first_name", "loyalty tier", "first_name")


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        b"\xef\xbb\xbf" + CSV.encode("utf-8-sig"),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace("\n", "\r").encode(),
        CSV.rstrip("\n").encode(),
        ("\n  \n" + CSV.replace("\n", "\n\n") + "   \n").encode(),
        gzip.compress(CSV.encode(), mtime=0),
        "\n".join(";".join(f'"{cell}"' for cell in line) for line in csv.reader(io.StringIO(CSV))).encode(),
        "\n".join("\t".join(line) for line in csv.reader(io.StringIO(CSV))).encode(),
        CSV.replace("to,customer_id", " to , customer_id").encode(),
        ("\ufeffsep=,\r\n" + CSV).encode(),
        "\n".join(['"SEP=|"', *("|".join(line) for line in csv.reader(io.StringIO(CSV)))]).encode(),
        (CSV + ",,,\n , ,, \n,,\n,,,,,\n").encode(),
    ],
    ids=[
        "plain",
        "bom",
        "two boms",
        "crlf",
        "cr",
        "no end",
        "blank lines",
        "gzip",
        "semicolon",
        "tab",
        "spaces",
        "sep",
        "other sep",
        "empty rows",
    ],
)
def test_one_table_in_many_forms(write: Any, content: bytes) -> None:
    assert rows(write(content), NAMES) == READ


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-8"])
def test_other_encodings(write: Any, encoding: str) -> None:
    assert rows(write(CSV, encoding=encoding), NAMES, encoding=encoding) == READ


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (CSV.encode(), gzip.compress(CSV.encode())):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        source = read_file("-")
        assert source.name == "standard input"
        assert list(source.rows(NAMES)) == READ


def test_every_reserved_column_has_its_place(write: Any) -> None:
    source = read_file(
        write(
            "language,metadata.tier,sender,text,to,time_zone,metadata.city,identities,code\n"
            f'sv,gold,Shop,"Hi, ${{code}}",{NUMBER},Europe/Stockholm,Åre,x,42\n'
            f",,,,{NUMBER},,,,\n"
        )
    )
    assert source.unused == ("language", "time_zone", "identities")
    assert list(source.rows(["code"])) == [
        (NUMBER, None, "Hi, ${code}", "Shop", '{"tier":"gold","city":"Åre"}', ("42",)),
        (NUMBER, None, None, None, None, (None,)),
    ]


@pytest.mark.parametrize(
    "content",
    ["To;Customer_ID;Text\n{};c-1;a note\n", '{{"TO": "{}", "customer_Id": "c-1", "Text": "a note"}}\n'],
    ids=["csv", "json lines"],
)
def test_number_and_customer_id_are_known_in_capitals_and_texts_are_not(write: Any, content: str) -> None:
    """A column that is taken for the text would be sent to people."""
    assert rows(write(content.format(NUMBER)), ["Text"]) == [(NUMBER, "c-1", None, None, None, ("a note",))]


def test_how_much_is_read_is_told_on_the_way(write: Any) -> None:
    path = write("to\n" + f"{NUMBER}\n" * 100_000)
    with read_file(path) as source:
        found = source.rows(())
        for _ in range(1000):
            next(found)
        lines, part = source.progress()
        assert 1000 <= lines <= 1001
        assert part is not None and 0 < part < 1
        for _ in found:
            pass
        assert source.progress() == (100_001, 1.0)
    assert read_recipients([{"to": NUMBER}]).progress() == (0, None)


def test_a_value_is_taken_as_it_stands(write: Any) -> None:
    path = write(f'to,a,b\n{NUMBER}, x ,"two\nlines, ""said"" ${{b}}"\n')
    assert rows(path, ["a", "b"]) == [row(NUMBER, " x ", 'two\nlines, "said" ${b}')]


def test_a_row_without_a_number_is_a_row(write: Any) -> None:
    assert rows(write("to,a\n,x\n"), ["a"]) == [row("", "x")]


@pytest.mark.parametrize("name", ["people.csv", "people.txt", "people"])
def test_a_header_of_one_column(write: Any, name: str) -> None:
    assert rows(write(f"to\n{NUMBER}\n\n{NUMBER}\n", name)) == [row(), row()]


def test_the_separator_is_the_one_that_finds_the_number(write: Any) -> None:
    path = write(f'to;"name, first, or other";code\n{NUMBER};x;1\n')
    assert rows(path, ["name, first, or other", "code"]) == [row(NUMBER, "x", "1")]
    path = write(f"name, first, or other\tMobile\nx\t{NUMBER}\n")
    assert rows(path, ["name, first, or other"], mapping={"to": "Mobile"}) == [row(NUMBER, "x")]


def test_a_first_line_for_excel_keeps_the_numbers_of_lines(write: Any) -> None:
    found = fault(write(f"sep=;\nto;a\n{NUMBER};x\n;;\n{NUMBER};x;y\n"))
    assert (found.place, "3 cells" in found.message) == ("line 5", True)


def test_a_header_over_two_lines(write: Any) -> None:
    source = read_file(write(f'to,"first\nname"\n{NUMBER},Zoë\n{NUMBER}\n'))
    assert source.columns == ("to", "first\nname")
    with pytest.raises(RecipientsError, match="line 4"):
        list(source.rows([]))


def test_columns_without_a_header_are_left_out(write: Any) -> None:
    source = read_file(write(f"to,,code,\n{NUMBER},x,1,\n"))
    assert source.columns == ("to", "code")
    assert list(source.rows(["code"])) == [row(NUMBER, "1")]


def test_columns_that_are_not_there_read_as_missing(write: Any) -> None:
    source = read_file(write(f"to,first_name,code\n{NUMBER},Zoë,1\n"))
    assert source.columns == ("to", "first_name", "code")
    assert source.missing(["code", "frist_name", "to"]) == ["frist_name", "to"]
    assert source.nearest("frist_name") == "first_name"
    assert source.nearest("First_Name") == "first_name"
    assert source.nearest("zzzz") is None
    assert list(source.rows(["frist_name", "code", "to"])) == [row(NUMBER, None, "1", None)]


def test_renamed_columns(write: Any) -> None:
    path = write(f"to,Mobile,Vorname\nold,{NUMBER},Zoë\n")
    source = read_file(path, mapping={"to": "Mobile", "first_name": "Vorname"})
    assert source.columns == ("to", "first_name")
    assert list(source.rows(["first_name", "Vorname"])) == [row(NUMBER, "Zoë", None)]
    assert rows(path, ["b"], mapping={"to": "Mobile", "b": "to"}) == [row(NUMBER, "old")]


def test_renaming_json_lines(write: Any) -> None:
    path = write(f'{{"Mobile": "{NUMBER}", "a": 1}}\n')
    assert rows(path, ["b"], mapping={"to": "Mobile", "b": "a"}) == [row(NUMBER, "1")]


JSON_LINES = [
    {"to": NUMBER, "customer_id": 7, "code": "1", "metadata": {"tier": "gold", "n": [1, 2.5]}},
    {"to": 46701740605, "code": None, "first_name": "", "language": "sv"},
    {"to": None, "text": "Hi ${code}", "sender": "Shop", "code": True, "first_name": "Zoë 😀"},
    {"to": NUMBER, "parameters": {"code": 12, "to": "x"}, "metadata.city": "Åre", "metadata": {"a": 1}},
]
JSON_READ = [
    (NUMBER, "7", None, None, '{"tier":"gold","n":[1,2.5]}', ("1", None, None)),
    ("46701740605", None, None, None, None, (None, None, None)),
    ("", None, "Hi ${code}", "Shop", None, ("true", "Zoë 😀", None)),
    (NUMBER, None, None, None, '{"a":1,"city":"Åre"}', ("12", None, "x")),
]


@pytest.mark.parametrize("name", ["people.jsonl", "people.ndjson", "people.txt", "people.jsonl.gz"])
def test_json_lines(write: Any, name: str) -> None:
    content = "\n" + "\n\n".join(json.dumps(line) for line in JSON_LINES)
    packed = gzip.compress(content.encode()) if name.endswith(".gz") else content.encode("utf-8-sig")
    source = read_file(write(packed, name))
    assert source.columns is None
    assert source.missing(["code", "nothing"]) == []
    assert list(source.rows(["code", "first_name", "to"])) == JSON_READ
    assert source.unused == ("language",)
    assert source.missing(["code", "nothing"]) == []


def test_json_lines_say_at_the_end_what_no_row_had(write: Any) -> None:
    source = read_file(write(f'{{"to": "{NUMBER}", "a": null}}\n'))
    list(source.rows(["a", "b"]))
    assert source.missing(["a", "b"]) == ["b"]


@pytest.mark.parametrize(
    ("written", "text"),
    [("1.10", "1.10"), ("1e5", "1e5"), ("0", "0"), ("-3", "-3"), ("false", "false"), ("12345678901234567890", None)],
)
def test_numbers_in_json_come_out_as_written(write: Any, written: str, text: str | None) -> None:
    assert rows(write(f'{{"to": "{NUMBER}", "a": {written}}}\n'), ["a"]) == [row(NUMBER, text or written)]


def test_what_a_host_hands_over() -> None:
    def people() -> Iterator[Recipient | dict[str, Any]]:
        yield from JSON_LINES
        yield Recipient(NUMBER, "c", {"code": "9", "text": "not the text"}, text="whole", metadata={"a": 1})

    source = read_recipients(people())
    assert list(source.rows(["code", "first_name", "to"])) == [
        *JSON_READ,
        (NUMBER, "c", "whole", None, '{"a":1}', ("9", None, None)),
    ]
    assert source.columns is None
    assert list(read_recipients([Recipient(NUMBER, parameters={"text": "x"})]).rows(["text"])) == [row(NUMBER, "x")]


# What breaks.


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"to,a\n%s,x\n%s,\xe9\n", "line 3", ["0xe9", "utf-8", "--encoding cp1252"]),
        (b"to,\xe9\n%s,x\n", "line 1", ["0xe9", "utf-8"]),
        (b"\xff\xfet\0o\0\n\0", "line 1", ["--encoding utf-16"]),
        (b"to,a\n%s,x\n%s,\0\n", "line 3", ["NUL"]),
        (b'to,a\n%s,x\n%s,"torn\n%s,y\n', "line 3", ["quote", "never closed", "line 4"]),
        (b'to,a\n%s,"torn\n%s,"y"\n', "line 2", ["quote", "doubled", "line 3"]),
        (b'to,a\n%s,"x\ny"\n%s,"torn\n' + b"%s,z\n" * 12_000, "line 4", ["quote", "too long"]),
        (b'to,"a\n%s,x\n', "line 1", ["header", "never closed"]),
        (b"to,a\n%s,x\n\n%s,x,y\n", "line 4", ["3 cells", "has 2"]),
        (b"to,a\n%s,x\n%s\n", "line 3", ["1 cells", "has 2"]),
        (b'to,a\n%s,"x\n\ny"\n%s\n', "line 5", ["1 cells"]),
        (b"", "", ["empty", "`to`"]),
        (b" \n\n", "", ["empty", "`to`"]),
        (b"sep=;\n", "", ["empty", "`to`"]),
        (b"PK\x03\x04\x14\0\x06\0", "", ["workbook", "CSV UTF-8"]),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "", ["workbook", "save the sheet as CSV"]),
        (b"name,Mobile phone\nx,%s\n", "line 1", ["no column `to`", "'Mobile phone'", '--map "to=Mobile phone"']),
        (b"name,To,TO\nx,%s,%s\n", "line 1", ["no column `to`", "--map to=To"]),
        (b'[{"to": "%s"},\n {"to": "%s"}]\n', "", ["JSON array", "a line of its own", "jq -c"]),
        (b"x,msisdn\nx,%s\n", "line 1", ["--map to=msisdn"]),
        (b"%s,Zo\n%s,Li\n", "line 1", ["where the header should", "`to`"]),
        (b";;;\n", "line 1", ["no column `to`"]),
        (b"to,a,b,a\n%s,x,y,z\n", "line 1", ["'a'", "2 times"]),
        (b"to,a, to \n%s,x,y\n", "line 1", ["'to'", "2 times"]),
        (gzip.compress(b"to,a\n" + b",x\n" * 17, mtime=0)[:-9], "line 19", ["damaged or cut off"]),
        (b'{"to": "%s"}\n{"to": "%s"\n', "line 2", ["not JSON", "at character 2"]),
        (b'{"to": "%s"}\n["%s"]\n', "line 2", ["a list", "one object"]),
        (b'{"to": "%s"}\n"%s"\n', "line 2", ["one object"]),
        (b'{"to": "%s"}\n\n{"Mobile": "%s"}\n', "line 3", ["no `to`", "'Mobile'", "--map to=Mobile"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": {"b": 1}}\n', "line 2", ["'a'", "an object"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": [1]}\n', "line 2", ["'a'", "a list"]),
        (b'{"to": "%s"}\n{"to": ["%s"]}\n', "line 2", ["'to'", "a list"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": NaN}\n', "line 2", ["not JSON"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": ' + b"1" * 5000 + b"}\n", "line 2", ["not JSON"]),
        (b'{"to": "%s"}\n' + b'{"a":' * 100_000 + b"\n", "line 2", ["not JSON"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": "\\ud83d"}\n', "line 2", ["surrogate"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": "\\u0000"}\n', "line 2", ["NUL"]),
        (b'{"to": "%s"}\n{"to": "%s", "metadata": {"a": NaN}}\n', "line 2", ["not JSON"]),
        (b'{"to": "%s"}\n{"to": "%s", "metadata": {"a": 1e999}}\n', "line 2", ["'metadata.a'", "no number"]),
        (b'{"to": "%s"}\n{"to": "%s", "metadata": {"a": "\\ud83d"}}\n', "line 2", ["surrogate"]),
        (b'{"to": "%s"}\n{"to": "%s", "metadata": 5}\n', "line 2", ["`metadata`", "object"]),
        (b'{"to": "%s"}\n{"to": "%s", "parameters": 5}\n', "line 2", ["`parameters`", "object"]),
        (b'{"to": "%s"}\n{"to": "%s", "a": "\xe9"}\n', "line 2", ["0xe9"]),
    ],
)
def test_a_broken_file_names_the_line_and_what_to_do(write: Any, content: bytes, place: str, words: list[str]) -> None:
    path = write(content.replace(b"%s", NUMBER.encode()))
    with pytest.raises(RecipientsError) as caught:
        rows(path, ["a"])
    (found,) = caught.value.faults
    assert (found.place, found.source) == (place, str(path))
    assert [word for word in words if word not in found.message] == []
    assert NUMBER not in str(caught.value)


def test_bad_bytes_far_down_name_their_line(write: Any) -> None:
    before = "".join(f"{NUMBER},{'é' * (n % 50)}\r\n" for n in range(20_000))
    assert fault(write(f"to,a\r\n{before}{NUMBER},".encode() + b"\xff\r\n" + b"x,y\r\n" * 500)).place == "line 20002"


def test_text_in_another_encoding_than_said(write: Any) -> None:
    assert fault(write(CSV), encoding="utf-16").place == "line 1"
    assert "NUL" in fault(write(CSV, encoding="utf-16-le"), encoding="latin-1").message


@pytest.mark.parametrize("encoding", ["utf-9", "base64", "rot13", ""])
def test_an_encoding_that_is_none(write: Any, encoding: str) -> None:
    assert "no encoding" in fault(write(CSV), encoding=encoding).message


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    found = fault(tmp_path / "nobody.csv")
    assert (found.source, found.place) == (str(tmp_path / "nobody.csv"), "")
    assert "No such file" in found.message
    assert "directory" in fault(tmp_path).message


def test_all_faults_of_a_header_come_at_once(write: Any) -> None:
    with pytest.raises(RecipientsError) as caught:
        read_file(write(f"Mobile,a,a\n{NUMBER},x,y\n"), mapping={"first_name": "Vorname", "code": "Mobil"})
    messages = [found.message for found in caught.value.faults]
    assert len(messages) == 4
    assert "'a' stands there 2 times" in messages[0]
    assert "no column 'Vorname', which --map first_name=Vorname names" in messages[1]
    assert "the nearest is 'Mobile'" in messages[2]
    assert "--map to=Mobile" in messages[3]


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("+46701740605", "give a Recipient or a mapping"),
        ({"mobile": NUMBER}, "no `to`; if 'mobile' holds the number: hand it over as `to`"),
        ({"to": NUMBER, "a": object()}, "'a' is no text or number"),
        ({"to": NUMBER, "metadata": {"at": object()}}, "metadata can't be written"),
        ({"to": NUMBER, "metadata": {"at": float("nan")}}, "'metadata.at' is nan, which is no number"),
        ({"to": NUMBER, "metadata.at": float("nan")}, "'metadata.at' is nan, which is no number"),
        ({"to": NUMBER, "metadata": {"at": [float("inf")]}}, "metadata can't be written"),
        ({"to": NUMBER, "metadata": {"at": "\ud83d"}}, "surrogate"),
        (Recipient(NUMBER, metadata={"at": float("nan")}), "'metadata.at' is nan"),
        ({"to": NUMBER, "customer_id": float("nan")}, "'customer_id' is nan"),
        ({"to": NUMBER, "a": Decimal("NaN")}, "'a' is nan"),
        ({"to": NUMBER, "a": "\ud83d"}, "surrogate"),
        (Recipient(NUMBER, parameters={"a": "\0"}), "NUL"),
    ],
)
def test_a_recipient_that_cannot_be_read_is_counted_out(recipient: Any, words: str) -> None:
    source = read_recipients([{"to": NUMBER}, recipient])
    with pytest.raises(RecipientsError, match=words) as caught:
        list(source.rows(["a"]))
    assert caught.value.faults[0].place == "recipient 2"


# Reading once, to the end.


def test_a_source_is_read_once(write: Any) -> None:
    source = read_file(write(CSV))
    list(source.rows([]))
    with pytest.raises(RuntimeError, match="read once"):
        source.rows([])


def test_a_source_that_is_not_read_can_be_closed(write: Any) -> None:
    with read_file(write(gzip.compress(CSV.encode()))) as source:
        assert source.columns == ("to", "customer_id", "first_name", "loyalty tier")
    with read_file(write(CSV)) as source:
        next(source.rows([]))


def digest(path: Path, names: Sequence[str] = (), **options: Any) -> str:
    source = read_file(path, **options)
    ahead = source.digest_ahead()
    list(source.rows(names))
    assert ahead == source.digest()
    return source.digest()


def test_the_digest_is_of_the_content(write: Any) -> None:
    first = digest(write(CSV))
    assert digest(write(CSV, "other.txt"), ["first_name"]) == first
    assert digest(write(gzip.compress(CSV.encode()))) == first
    assert digest(write(CSV + f"{NUMBER},,,\n")) != first
    assert digest(write(CSV), mapping={"code": "first_name"}) != first
    assert digest(write(CSV), encoding="cp1252") != first


def test_there_is_no_digest_before_the_end(write: Any) -> None:
    with read_file(write(CSV)) as source:
        next(source.rows([]))
        with pytest.raises(RuntimeError, match="end"):
            source.digest()


def given_digest(*recipients: Any, names: Sequence[str] = ()) -> str:
    source = read_recipients(recipients)
    assert source.digest_ahead() is None
    list(source.rows(names))
    return source.digest()


def test_the_digest_of_a_recipient_does_not_depend_on_how_it_is_given() -> None:
    first = given_digest(Recipient(NUMBER, "c", {"a": "1", "b": "2"}, metadata={"k": 1}))
    assert first == given_digest({"metadata": {"k": 1}, "b": "2", "a": "1", "customer_id": "c", "to": NUMBER})
    assert first == given_digest(
        {"to": NUMBER, "customer_id": "c", "b": "2", "metadata": {"k": 1}, "a": "1"}, names="a"
    )
    for changed in (
        Recipient(NUMBER, "c", {"a": "1", "b": "3"}, metadata={"k": 1}),
        Recipient(NUMBER, "c", {"a": "1", "b": "2"}, metadata={"k": 2}),
        Recipient(NUMBER, "c", {"a": "1", "b": "2"}, metadata={"k": 1}, text="x"),
        Recipient(NUMBER, None, {"a": "1", "b": "2", "customer_id": "c"}, metadata={"k": 1}),
    ):
        assert given_digest(changed) != first


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "many.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write("to,a\n")
        for number in range(30_000):
            file.write(f"{NUMBER},{number:0200}\n")
    source = read_file(path)
    tracemalloc.start()
    try:
        count = sum(1 for _ in source.rows(["a"]))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 30_000
    assert peak_bytes < 2_000_000


# Round trips.

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


@given(
    st.lists(CELLS.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True),
    st.data(),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=150)
def test_any_table_comes_back(tmp_path_factory: Any, names: list[str], data: Any, separator: str, end: str) -> None:
    reserved = {"to", "customer_id", "text", "sender", "language", "time_zone", "identities"}
    names = [name for name in names if name not in reserved and not name.startswith(("metadata.", "\ufeff"))]
    table = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=5))
    path = tmp_path_factory.mktemp("table") / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerow(["to", *names])
        writer.writerows([NUMBER, *values] for values in table)
    assert rows(path, names) == [row(NUMBER, *(value or None for value in values)) for values in table]


@given(
    st.lists(st.dictionaries(CELLS.filter(bool), st.one_of(st.none(), CELLS, st.integers()), max_size=4), max_size=5)
)
@settings(max_examples=100)
def test_any_json_lines_come_back(tmp_path_factory: Any, parameters: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("lines") / "people.jsonl"
    path.write_text("".join(json.dumps({"to": NUMBER, "parameters": given}) + "\n" for given in parameters), "utf-8")
    names = sorted({name for given in parameters for name in given})
    expected = [
        row(NUMBER, *(None if given.get(name) in (None, "") else str(given[name]) for name in names))
        for given in parameters
    ]
    assert rows(path, names) == expected
    assert list(read_recipients(Recipient(NUMBER, parameters=given) for given in parameters).rows(names)) == expected
