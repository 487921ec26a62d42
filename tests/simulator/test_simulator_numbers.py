from itertools import islice

import phonenumbers

from connector.simulator.numbers import fictional_numbers


def test_numbers_are_distinct_valid_and_first_those_kept_for_fiction() -> None:
    numbers = list(islice(fictional_numbers(), 30_000))
    assert len(set(numbers)) == 30_000
    assert all(number[4:9] == "55501" for number in numbers)
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(f"+{number}")) for number in numbers[::50])


def test_beyond_them_numbers_stay_in_the_exchange_and_distinct() -> None:
    numbers = list(islice(fictional_numbers(), 120_000))
    assert len(set(numbers)) == 120_000
    assert {number[4:7] for number in numbers} == {"555"}
    assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{numbers[-1]}"))
