"""The recipients that every benchmark reads: personalised, valid, none twice."""

import csv
from itertools import islice
from pathlib import Path

from connector.simulator.numbers import fictional_numbers

SENDER = "Shop"
TEXT = "Hi ${first_name}, your code is ${code}. It is good until Sunday."
FIRST_NAMES = ("Ada", "Emre", "Grace", "Nora", "Sam", "Ines", "Olga", "Paul", "Lin", "Maria")


def write_recipients(path: Path, count: int) -> None:
    """A CSV with `to`, `customer_id`, `first_name`, `code`: the same rows for the same count."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("to", "customer_id", "first_name", "code"))
        writer.writerows(
            (f"+{number}", f"customer-{place}", FIRST_NAMES[place % len(FIRST_NAMES)], f"SPRING{place:07}")
            for place, number in enumerate(islice(fictional_numbers(), count))
        )
