"""Phone numbers: the fast path and the library say the same, of every kind of spelling."""

from concurrent.futures import ThreadPoolExecutor

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType

from connector.model import phone
from connector.model.phone import Numbers, mask

SHARED_CODES = (1, 7, 39, 44, 47, 61, 212, 262, 290, 358, 590, 599)
TYPES = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]


def examples(code: int) -> list[str]:
    """The library's own example numbers of a calling code, of every region and type, without `+`."""
    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[code]:
        tables = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        assert tables is not None
        kinds = (tables.general_desc, *(getattr(tables, kind) for kind in phone._KINDS))
        found += [f"{code}{kind.example_number}" for kind in kinds if kind and kind.example_number]
    return found


EXAMPLES = {code: examples(code) for code in COUNTRY_CODE_TO_REGION_CODE}
ALL_EXAMPLES = [number for numbers in EXAMPLES.values() for number in numbers]


def by_library(written: str, region: str | None = None) -> tuple[str, str | None] | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    return digits, phonenumbers.region_code_for_number(number)


def mutations(digits: str) -> list[str]:
    """Near misses: another digit in each place, one less, one more."""
    other = [
        f"{digits[:place]}{(int(digits[place]) + step) % 10}{digits[place + 1 :]}"
        for place in range(len(digits))
        for step in (1, 4, 7)
    ]
    return [*other, digits[:-1], digits + "0", digits + "77"]


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_examples_of_every_region_and_type_read_as_in_the_library(code: int) -> None:
    assert EXAMPLES[code]
    for digits in EXAMPLES[code]:
        assert Numbers().canonical(f"+{digits}") == by_library(f"+{digits}"), digits


@pytest.mark.parametrize("code", SHARED_CODES)
def test_near_misses_under_shared_codes_read_as_in_the_library(code: int) -> None:
    for digits in EXAMPLES[code]:
        for near in mutations(digits):
            assert Numbers().canonical(near) == by_library(f"+{near}"), near


@pytest.mark.parametrize("code", sorted(COUNTRY_CODE_TO_REGION_CODE))
def test_a_trunk_prefix_inside_reads_as_in_the_library(code: int) -> None:
    for digits in EXAMPLES[code][:4]:
        national = digits.removeprefix(str(code))
        for trunk in ("0", "1", "8", "06", "80", "44", "15", "00"):
            written = f"{code}{trunk}{national}"
            assert Numbers().canonical(f"+{written}") == by_library(f"+{written}"), written


def test_digits_that_may_begin_with_a_trunk_prefix_are_for_the_library_to_say() -> None:
    # Under +375 such numbers fit the country's patterns as they stand, and the library strips 810 all the same.
    for rest in range(0, 10**7, 50_021):
        written = f"375810{rest:07d}"
        assert Numbers().canonical(written) == by_library(f"+{written}"), written


@given(st.sampled_from(ALL_EXAMPLES), st.data())
@settings(max_examples=300)
def test_mutated_numbers_read_as_in_the_library(digits: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(digits)))
    skip = data.draw(st.integers(0, 2))
    put = data.draw(st.text("0123456789", max_size=3))
    written = digits[:place] + put + digits[place + skip :]
    if not written.startswith("0"):
        assert Numbers().canonical(written) == by_library(f"+{written}")
    assert Numbers().canonical(f"+{written}") == by_library(f"+{written}")


@given(st.text("0123456789", min_size=1, max_size=20))
@settings(max_examples=300)
def test_any_digits_read_as_in_the_library(digits: str) -> None:
    assert Numbers().canonical(f"+{digits}") == by_library(f"+{digits}")


@pytest.mark.parametrize("region", ["SE", "GB", "GG", "DE", "IT", "US", "AR", "BR", "JP", "AU", "HU", "RU", "FR", "KZ"])
def test_national_numbers_read_as_in_the_library(region: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    numbers = Numbers(region)
    for digits in EXAMPLES[code]:
        for national in (digits.removeprefix(str(code)), *mutations(digits.removeprefix(str(code)))[::5]):
            for written in (f"0{national}", f"0{national[1:]}", f"011{digits}", f"010{digits}"):
                if not written.startswith("00"):
                    assert numbers.canonical(written) == by_library(written, region), written


def test_ordinary_numbers_are_settled_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Numbers("SE")
    asked: list[str] = []
    parse = phonenumbers.parse

    def listening(written: str, region: str | None) -> phonenumbers.PhoneNumber:
        asked.append(written)
        return parse(written, region)

    monkeypatch.setattr(phonenumbers, "parse", listening)
    assert numbers.canonical("+46701740605") == ("46701740605", "SE")
    assert numbers.canonical("070-174 06 05") == ("46701740605", "SE")
    assert numbers.canonical("0044 20 7946 0123") == ("442079460123", "GB")
    assert numbers.canonical("+1 (201) 555-0123") == ("12015550123", "US")
    for digits in EXAMPLES[54]:
        assert numbers.canonical(digits) is not None
    assert asked == []
    assert numbers.canonical("+4402079460123") == ("442079460123", "GB")
    assert asked == ["+4402079460123"]


@pytest.mark.parametrize(
    "written",
    [
        "+46701740605",
        "46701740605",
        "0046701740605",
        " +46 70 174 06 05 ",
        "+46-70-174-06-05",
        "(+46) 70 / 174.06.05",
        "+46(0)701740605",
        "+460701740605",
        "[46] 70-174\t0605\r\n",
        "\ufeff+46701740605",
        "\u202a+46701740605\u202c",
        "\u200e+46\u00a070\u202f174\u200b06\u206005",
        "+46\u201070\u2011174\u201306\u221205",
        "＋４６７０１７４０６０５",
        "００４６７０１７４０６０５",
        "٤٦٧٠١٧٤٠٦٠٥",
    ],
)
def test_usual_spellings_are_one_number(written: str) -> None:
    assert Numbers().canonical(written) == ("46701740605", "SE")


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "-",
        "+",
        "00",
        "0",
        "null",
        "n/a",
        "call me",
        "+1 555 CALL NOW",
        "+46701740605 ext 5",
        "+46701740605x5",
        "tel:+46701740605",
        "+46 70 174 06 05 06 07 08",
        "+4670",
        "0701740605",
        "070-174 06 05",
        "++46701740605",
        "+46701740605+",
        "46+701740605",
        "+0046701740605",
        "00046701740605",
        "+999701740605",
        "+210701740605",
        "46701740605, 46701740606",
        "46701740605\x00",
        "+4670174060²",
        "-46701740605.0",
        "4.6701740605E+10",
        "1" * 300,
        "+" + "1" * 5000,
    ],
)
def test_what_is_no_number_is_none(written: str) -> None:
    assert Numbers().canonical(written) is None


def test_a_number_that_a_spreadsheet_made_a_fraction_is_none() -> None:
    longer = next(digits for digits in EXAMPLES[49] if by_library(f"+{digits}0"))
    assert Numbers().canonical(f"{longer}.0") is None


def test_a_leading_zero_is_national_only_where_a_region_is_given() -> None:
    assert Numbers("se").canonical("0701740605") == ("46701740605", "SE")
    assert Numbers("GB").canonical("020 7946 0123") == ("442079460123", "GB")
    assert Numbers("GB").canonical("+46701740605") == ("46701740605", "SE")
    assert Numbers("GB").canonical("0046701740605") == ("46701740605", "SE")
    assert Numbers("US").canonical("2015550123") != ("12015550123", "US")


def test_a_region_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="'UK'"):
        Numbers("UK")


def test_threads_share_one_reader() -> None:
    numbers = Numbers()
    written = [f"+{digits}" for digits in ALL_EXAMPLES]
    phone._settled_by.clear()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: [numbers.canonical(number) for number in written], range(4)))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    ("number", "masked"),
    [("46701740605", "467***05"), ("+12015550123", "+12***23"), ("12345", "***"), ("", "***")],
)
def test_a_log_shows_a_number_masked(number: str, masked: str) -> None:
    assert mask(number) == masked
