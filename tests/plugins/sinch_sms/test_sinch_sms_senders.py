"""Senders that the API takes, and what is said of the others."""

import pytest


@pytest.mark.parametrize(
    "sender",
    [
        "Shop",
        "A",
        "Demo Shop",
        "Shop-24/7",
        "11character",
        "24seven",
        "+12015550123",
        "12015550123",
        "72404",
        "123",
    ],
)
def test_names_numbers_and_short_codes_are_taken(make_provider, sender: str):
    assert make_provider().screen_sender(sender) is None


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("A shop with a long name", "23 characters"),
        ("12characters", "12 characters"),
        (" Shop", "space"),
        ("Shop\n", "space"),
        ("Büro", "'ü'"),
        ("Sh\top", r"'\t'"),
        ("***", "no letter"),
        ("+72404", "7 to 15 digits"),
        ("12", "3 to 8"),
        ("1" * 16, "7 to 15 digits"),
        ("0046701740605", "country code"),
        ("+1 201 555 0123", "+12015550123"),
        ("(201) 555-0123", "between its digits"),
    ],
)
def test_another_sender_is_refused_with_a_sentence(make_provider, sender: str, words: str):
    sentence = make_provider().screen_sender(sender)
    assert words in sentence
    assert sentence.endswith(".")
