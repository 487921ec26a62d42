"""Which senders SMS shows: an alphanumeric name, a phone number or a short code.

Whether a service plan or a country lets a sender through shows only when a message is sent. Source: the SMS API's
page "Batches" (`from`), and "Sending messages" of the SMPP pages (lengths).
"""

import re

MAX_NAME_CHARACTERS = 11
_NUMBER = re.compile(r"\+?[1-9]\d{6,14}")
_SHORT_CODE = re.compile(r"\d{3,8}")
_DIGITS = re.compile(r"\+?\d+")
_PUNCTUATED = re.compile(r"\+?[\d ()./-]+")


def what_is_wrong(sender: str) -> str | None:
    """Why the API doesn't take a sender, as a sentence; None: it may."""
    if _NUMBER.fullmatch(sender) or _SHORT_CODE.fullmatch(sender):
        return None
    if _DIGITS.fullmatch(sender):
        return (
            f"{sender} is no phone number and no short code: a number has 7 to 15 digits with its country code, as in "
            "+12015550123, a short code 3 to 8 without +."
        )
    if not sender.strip():
        return "The sender is empty: give a phone number, a short code, or a name of up to 11 characters."
    if _PUNCTUATED.fullmatch(sender):
        return f"{sender} has spaces or signs between its digits: write a number as in +12015550123."
    if sender != sender.strip():
        return f'"{sender}" begins or ends with a space: leave that out.'
    if len(sender) > MAX_NAME_CHARACTERS:
        return (
            f'"{sender}" has {len(sender)} characters: a name has up to {MAX_NAME_CHARACTERS}, '
            "and a phone number digits alone."
        )
    if not (sender.isascii() and sender.isprintable()):
        odd = next(character for character in sender if not (character.isascii() and character.isprintable()))
        return f"{sender!r} has the character {odd!r}: a name is made of the letters A to Z, digits and spaces."
    if not any(character.isalpha() for character in sender):
        return f'"{sender}" has no letter: a name needs at least one.'
    return None
