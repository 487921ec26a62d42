"""Phone numbers for demos: valid, and from the exchange that North America keeps for fiction."""

from collections.abc import Iterator

import phonenumbers

FICTION = range(100, 200)
"""555-0100 to 555-0199 are reserved for fiction in every area code."""
EXCHANGE = range(10_000)
DIRECTORY_ASSISTANCE = 1212


def fictional_numbers() -> Iterator[str]:
    """Distinct valid numbers as digits, always in the same order.

    The reserved 555-01XX of every US area code come first, some 38,000; then the rest of the exchange 555,
    in which almost no numbers are in service, some 3.7 million more.
    """
    areas = [area for area in range(201, 1000) if _is_us_area(area)]
    for line in FICTION:
        for area in areas:
            yield f"1{area}555{line:04}"
    for line in EXCHANGE:
        if line not in FICTION and line != DIRECTORY_ASSISTANCE:
            for area in areas:
                yield f"1{area}555{line:04}"


def _is_us_area(area: int) -> bool:
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}5550123"))
    return (
        phonenumbers.is_valid_number(number)
        and phonenumbers.region_code_for_number(number) == "US"
        # Keeps out toll-free, premium and personal numbers.
        and phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
    )
