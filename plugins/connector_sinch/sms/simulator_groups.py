"""Groups of recipients in the simulated SMS API. Source: its page "Groups"."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector_sinch.sms.simulator_batch import stamp
from connector_sinch.sms.simulator_request import (
    CONSTRAINT,
    FORMAT,
    Checks,
    Problem,
    is_group_id,
    read_fields,
    read_inner,
    read_numbers,
    read_object,
)
from connector_sinch.ulid import new_ulid

MAX_NAME = 20
MAX_MEMBERS = 10_000
MAX_CHILD_GROUPS = 10
MAX_WORD = 15


@dataclass(slots=True)
class Group:
    """A set of numbers, under an ID, that a batch can be sent to."""

    id: str
    created_at: datetime
    modified_at: datetime
    name: str | None
    members: dict[str, None]
    """The numbers, in the order they came; a number occurs once."""
    child_groups: list[str]
    auto_update: dict[str, Any] | None
    """`to`, and the words of `add` and `remove` by which people join and leave."""

    def as_answered(self) -> dict[str, Any]:
        """The group as the API shows it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "size": len(self.members),
            "created_at": stamp(self.created_at),
            "modified_at": stamp(self.modified_at),
            "child_groups": self.child_groups or None,
            "auto_update": self.auto_update,
        }
        return {name: value for name, value in shown.items() if value is not None}


class Groups:
    """All groups of an account. What names an unknown group raises `Problem`."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._groups: dict[str, Group] = {}

    def newest_first(self) -> list[Group]:
        return list(reversed(self._groups.values()))

    def by_id(self, group_id: str) -> Group:
        """The group that a path names."""
        group = self._groups.get(group_id)
        if group is None:
            raise Problem(404, "unknown_group", "There is no such group.")
        return group

    def check(self, group_ids: Sequence[str]) -> None:
        """That the groups which a request refers to are there."""
        for group_id in group_ids:
            if group_id not in self._groups:
                raise Problem(403, "unknown_group", f"Group '{group_id}' is unknown or deleted")

    def create(self, content: Any, now: datetime) -> Group:
        fields = self._read(content, _WHOLE)
        group = Group(new_ulid(self._dice), now, now, None, {}, [], None)
        self._put(group, fields)
        self._groups[group.id] = group
        return group

    def replace(self, group: Group, content: Any, now: datetime) -> None:
        """Everything anew: what isn't given is gone."""
        fields = self._read(content, _WHOLE, ("members",), group)
        self._put(group, fields)
        group.modified_at = now

    def update(self, group: Group, content: Any, now: datetime) -> None:
        """What is given; additions come before removals, and a name of null takes the name away."""
        fields = self._read(content, _CHANGES, (), group)
        added, removed = fields.get("add", []), fields.get("remove", [])
        if "add_from_group" in fields:
            added = [*added, *self._groups[fields["add_from_group"]].members]
        if "remove_from_group" in fields:
            removed = [*removed, *self._groups[fields["remove_from_group"]].members]
        for number in added:
            group.members[number] = None
        for number in removed:
            group.members.pop(number, None)
        if "name" in content:
            group.name = fields.get("name")
        if "auto_update" in fields:
            group.auto_update = fields["auto_update"]
        group.modified_at = now

    def delete(self, group: Group) -> None:
        del self._groups[group.id]

    def numbers(self, group_ids: Sequence[str]) -> Iterator[str]:
        """The members of groups and of their child groups; deleted groups are empty."""
        ahead, seen = list(reversed(group_ids)), set()
        while ahead:
            group_id = ahead.pop()
            group = self._groups.get(group_id)
            if group is None or group_id in seen:
                continue
            seen.add(group_id)
            yield from group.members
            ahead += reversed(group.child_groups)

    def written(self, sender: str, to: str, text: str, now: datetime) -> None:
        """Let somebody who wrote a group's word to its number join or leave."""
        words = text.lower().split()
        for group in self._groups.values():
            rule = group.auto_update
            if rule is None or rule["to"] != to:
                continue
            if _matches(rule.get("add"), words):
                group.members[sender] = None
                group.modified_at = now
            if _matches(rule.get("remove"), words):
                group.members.pop(sender, None)
                group.modified_at = now

    def _read(
        self, content: Any, checks: Checks, required: Sequence[str] = (), group: Group | None = None
    ) -> dict[str, Any]:
        fields = read_fields(read_object(content), checks, required)
        self.check(fields.get("child_groups", []))
        self.check([fields[name] for name in ("add_from_group", "remove_from_group") if name in fields])
        name = fields.get("name")
        if name is not None and any(other.name == name and other is not group for other in self._groups.values()):
            raise Problem(403, "conflict_group_name", f"A group named '{name}' exists already.")
        return fields

    @staticmethod
    def _put(group: Group, fields: dict[str, Any]) -> None:
        group.name = fields.get("name")
        group.members = dict.fromkeys(fields.get("members", []))
        group.child_groups = fields.get("child_groups", [])
        group.auto_update = fields.get("auto_update")


def _matches(rule: dict[str, str] | None, words: list[str]) -> bool:
    """Whether a text begins with the words of a rule; case makes no difference."""
    if rule is None:
        return False
    wanted = [rule[name].lower() for name in ("first_word", "second_word") if name in rule]
    return words[: len(wanted)] == wanted


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be a string of at most {MAX_NAME} characters.")
    return value


def _members(name: str, value: Any) -> list[str]:
    return read_numbers(name, value, least=0, most=MAX_MEMBERS)


def _group_id(name: str, value: Any) -> str:
    if not is_group_id(value):
        raise Problem(400, FORMAT, f"The format of parameter '{name}' is invalid; value '{value}' is not a group ID.")
    return str(value)


def _group_ids(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_CHILD_GROUPS:
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be an array of at most {MAX_CHILD_GROUPS} group IDs.")
    return [_group_id(f"{name}[{place}]", each) for place, each in enumerate(value)]


def _auto_update(name: str, value: Any) -> dict[str, Any]:
    return read_inner(name, value, {"to": _own_number, "add": _words, "remove": _words}, "to")


def _words(name: str, value: Any) -> dict[str, Any]:
    return read_inner(name, value, {"first_word": _word, "second_word": _word}, "first_word")


def _own_number(name: str, value: Any) -> str:
    digits = value.removeprefix("+") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= 15):
        raise Problem(
            400, FORMAT, f"The format of parameter '{name}' is invalid; value '{value}' is not a number or short code."
        )
    return digits


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_WORD or value.split() != [value]:
        raise Problem(400, CONSTRAINT, f"The field '{name}' must be one word of at most {MAX_WORD} characters.")
    return value


_WHOLE: Checks = {"name": _name, "members": _members, "child_groups": _group_ids, "auto_update": _auto_update}
_CHANGES: Checks = {
    "name": _name,
    "add": _members,
    "remove": _members,
    "add_from_group": _group_id,
    "remove_from_group": _group_id,
    "auto_update": _auto_update,
}
