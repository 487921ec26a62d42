"""Phone numbers: from any usual spelling to the digits that a provider takes, or to nothing.

The rules are those of the `phonenumbers` library. Its own tables are compiled here, once per process, into
one pattern per calling code and length, which settles an ordinary number about ten times as fast; whatever
these patterns don't settle is asked of the library itself.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata

Canonical = tuple[str, str]
"""Digits with country code and without `+`, and the region: an ISO country code, `001` for no country's numbers."""

_BRACKETS_AND_STOPS = ".()[]/．（）［］／"
_DASHES_THAT_UNICODE_CALLS_OTHERWISE = "−ー"


def _ignored() -> dict[int, None]:
    """Separators that people write, and what copying leaves behind: white space, dashes, invisible characters."""
    kept_out = _BRACKETS_AND_STOPS + _DASHES_THAT_UNICODE_CALLS_OTHERWISE
    return {
        code: None
        for code in range(0x10000)
        if (char := chr(code)) in kept_out or char.isspace() or unicodedata.category(char) in ("Pd", "Cf")
    }


_IGNORED = _ignored()
_SPREADSHEET_FRACTION = re.compile(r"\s*\+?\d+\.0\s*")

_KINDS = (
    "mobile",
    "fixed_line",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)

_settled_by: dict[tuple[str, int], Callable[[str], "re.Match[str] | None"] | None] = {}


class Numbers:
    """Reads phone numbers; one instance may be shared between threads.

    `default_region` (an ISO country code) serves numbers written with a single leading 0, and nothing else.
    Raises `ValueError` for a region that has no numbers.
    """

    def __init__(self, default_region: str | None = None) -> None:
        region = default_region.upper() if default_region else None
        if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"{default_region!r} is no country's ISO code")
        self._region = region
        self._international = _trunk_zero(region) if region else None

    def canonical(self, written: str) -> Canonical | None:
        """The number that is meant, or None when it can't exist.

        `+`, `00` and bare digits are international. Letters of any kind make it no number.
        """
        digits = written[1:] if written[:1] == "+" else written
        if digits.isascii() and digits.isdigit():
            match_of = _settled_by.get((digits[:3], len(digits)))
            if match_of is not None and (match := match_of(digits)) is not None:
                # Most numbers end here.
                return digits, match.lastgroup[1:]  # type: ignore[index]
            plus = digits is not written
        else:
            read = _clean(written)
            if read is None:
                return None
            plus, digits = read
        if digits[:1] == "0" and not plus:
            if digits[:2] != "00":
                return self._national(digits)
            digits = digits[2:]
        return _international(digits)

    def _national(self, digits: str) -> Canonical | None:
        if self._region is None:
            return None
        if self._international is not None:
            international = self._international(digits)
            if international is not None and (settled := _settle(international)) is not None:
                return settled
        return _ask(digits, self._region)


def mask(number: str) -> str:
    """A number for a log: its first three and last two digits."""
    return f"{number[:3]}***{number[-2:]}" if len(number) > 7 else "***"


def _clean(written: str) -> tuple[bool, str] | None:
    """Whether a plus leads, and the digits; None where anything else is written."""
    if _SPREADSHEET_FRACTION.fullmatch(written):
        # A spreadsheet wrote the number as a fraction: to ignore its point would append a digit.
        return None
    digits = written.translate(_IGNORED)
    plus = digits.startswith(("+", "＋"))
    if plus:
        digits = digits[1:]
    if not digits.isdecimal():
        return None
    if not digits.isascii():
        digits = "".join(str(unicodedata.decimal(digit)) for digit in digits)
    return plus, digits


def _international(digits: str) -> Canonical | None:
    return _settle(digits) or _ask("+" + digits, None)


def _settle(digits: str) -> Canonical | None:
    """The number if the patterns know it to be valid as it stands; None: it isn't settled."""
    key = (digits[:3], len(digits))
    try:
        match_of = _settled_by[key]
    except KeyError:
        match_of = _compile(*key)
        # More than 25 digits are no number anywhere, and must not fill the table.
        if len(digits) <= 25:
            _settled_by[key] = match_of
    if match_of is None:
        return None
    match = match_of(digits)
    return None if match is None else (digits, match.lastgroup[1:])  # type: ignore[index]


def _ask(written: str, region: str | None) -> Canonical | None:
    """What the library says."""
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    found = phonenumbers.region_code_for_number(number) or ""
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}", found


def _calling_code(prefix: str) -> int | None:
    if prefix[:1] == "0":
        return None
    return next((code for end in (1, 2, 3) if (code := int(prefix[:end] or 0)) in COUNTRY_CODE_TO_REGION_CODE), None)


@cache
def _tables(calling_code: int, region: str) -> PhoneMetadata:
    tables = PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
    if tables is None:
        raise LookupError(f"phonenumbers has no tables for {region} under +{calling_code}")
    return tables


def _compile(prefix: str, length: int) -> Callable[[str], "re.Match[str] | None"] | None:
    """A pattern for valid numbers of one calling code and length, its group named after the region.

    Left out are numbers that begin like the country's trunk prefix: whether that is stripped is for the
    library to say.
    """
    code = _calling_code(prefix)
    if code is None:
        return None
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    national_length = length - len(str(code))
    alternatives = []
    elsewhere = ""
    for region in regions:
        tables = _tables(code, region)
        leading = tables.leading_digits if len(regions) > 1 else None
        valid = _valid(tables, national_length)
        if valid is not None:
            lead = f"(?={leading})" if leading else ""
            alternatives.append(f"{elsewhere}{lead}(?P<_{region}>{valid})")
        if leading:
            # The first region whose leading digits fit has the number, valid there or not.
            elsewhere += f"(?!{leading})"
    if not alternatives:
        return None
    trunk = _tables(code, regions[0]).national_prefix_for_parsing
    # Some trunk patterns match nothing too; only one that takes a digit matters.
    no_trunk = f"(?!(?:{trunk})(?<!^{code}))" if trunk else ""
    return re.compile(f"{code}{no_trunk}(?:{'|'.join(alternatives)})").fullmatch


def _valid(tables: PhoneMetadata, length: int) -> str | None:
    """A pattern for the valid numbers of a region that have this many digits; None: there are none."""
    general = _of_length(tables.general_desc, length)
    kinds = [getattr(tables, kind) for kind in _KINDS]
    if tables.same_mobile_and_fixed_line_pattern:
        kinds.remove(tables.mobile)
    patterns = dict.fromkeys(pattern for kind in kinds if (pattern := _of_length(kind, length)) is not None)
    if general is None or not patterns:
        return None
    return f"(?=(?:{general})$)(?:{'|'.join(patterns)})"


def _of_length(description: phonenumbers.PhoneNumberDesc | None, length: int) -> str | None:
    if description is None or not description.national_number_pattern:
        return None
    if description.possible_length and length not in description.possible_length:
        return None
    return str(description.national_number_pattern)


def _trunk_zero(region: str) -> Callable[[str], str | None] | None:
    """How a region's numbers with a leading 0 read internationally; None: only the library can say.

    The function answers None for numbers whose 0 isn't plainly the trunk prefix.
    """
    code = phonenumbers.country_code_for_region(region)
    if region != phonenumbers.region_code_for_country_code(code):
        return None
    tables = _tables(code, region)
    if not tables.national_prefix_for_parsing:
        return None
    trunk = re.compile(tables.national_prefix_for_parsing)
    abroad = re.compile(tables.international_prefix or r"(?!)")

    def international(digits: str) -> str | None:
        match = trunk.match(digits)
        if match is None or match.end() != 1 or abroad.match(digits):
            return None
        return f"{code}{digits[1:]}"

    return international
