"""Groups: made, changed, joined and left by keyword, and sent to."""

from collections.abc import Callable
from typing import Any

from plan_client import ANNA, BERT, CARA, Plan, a_batch, later, refusal

Plans = Callable[..., Plan]
DORA = "12015550126"
WORDS = {"to": "12015550100", "add": {"first_word": "Join"}, "remove": {"first_word": "Leave"}}
NO_GROUP = "01HQ3V7M0ZJ5T8R9K2N4P6W8XY"


def numbers(*last_digits: int) -> list[str]:
    return [str(12015550000 + last) for last in last_digits]


def members(plan: Plan, group: dict[str, Any]) -> list[str]:
    return plan.get(f"groups/{group['id']}/members")


def recipients(plan: Plan, batch: dict[str, Any]) -> set[str]:
    """Whom a batch went to, in the end."""
    plan.idle()
    report = plan.get(f"batches/{batch['id']}/delivery_report", type="full")
    told = [number for status in report["statuses"] for number in status["recipients"]]
    assert len(told) == len(set(told)) == report["total_message_count"]
    return set(told)


def test_a_group_comes_back_with_its_fields(plan: Plans) -> None:
    plan = plan()
    child = plan.group()
    assert set(child) == {"id", "size", "created_at", "modified_at"}
    group = plan.group(name="Readers", members=[f"+{ANNA}", ANNA, BERT], child_groups=[child["id"]], auto_update=WORDS)
    assert (group["name"], group["size"], group["child_groups"]) == ("Readers", 2, [child["id"]])
    assert (group["auto_update"], len(group["id"])) == (WORDS, 26)
    assert plan.get(f"groups/{group['id']}") == group
    assert members(plan, group) == [ANNA, BERT]
    assert plan.get("groups") == {"count": 2, "page": 0, "page_size": 2, "groups": [group, child]}
    assert plan.get("groups", page=1, page_size=1)["groups"] == [child]


WRONG: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"name": "n" * 21}, (400, "syntax_constraint_violation")),
    ({"nmae": "Readers"}, (400, "syntax_constraint_violation")),
    ({"members": numbers(*range(10_001))}, (400, "syntax_constraint_violation")),
    ({"members": ["nobody"]}, (400, "syntax_invalid_parameter_format")),
    ({"members": ANNA}, (400, "syntax_constraint_violation")),
    ({"child_groups": [NO_GROUP]}, (403, "unknown_group")),
    ({"child_groups": ["readers"]}, (400, "syntax_invalid_parameter_format")),
    ({"child_groups": [NO_GROUP] * 11}, (400, "syntax_constraint_violation")),
    ({"auto_update": {"add": {"first_word": "Join"}}}, (400, "syntax_constraint_violation")),
    ({"auto_update": {"to": "shop"}}, (400, "syntax_invalid_parameter_format")),
    ({"auto_update": {"to": "12345", "add": {}}}, (400, "syntax_constraint_violation")),
    ({"auto_update": {"to": "12345", "add": {"first_word": "two words"}}}, (400, "syntax_constraint_violation")),
    ({"auto_update": {"to": "12345", "add": {"first_word": "w" * 16}}}, (400, "syntax_constraint_violation")),
    ({"auto_update": {"to": "12345", "leave": {}}}, (400, "syntax_constraint_violation")),
]


def test_what_makes_no_group_is_refused_with_its_code(plan: Plans) -> None:
    plan = plan()
    for fields, expected in WRONG:
        assert refusal(plan.call("POST", "groups", fields)) == expected, fields
    assert refusal(plan.call("POST", "groups", ["Readers"])) == (400, "syntax_constraint_violation")
    assert plan.get("groups")["count"] == 0


def test_the_limits_of_a_group_are_taken_to_their_end(plan: Plans) -> None:
    plan = plan()
    children = [plan.group()["id"] for _ in range(10)]
    words = {"to": "123", "add": {"first_word": "w" * 15, "second_word": "in"}}
    group = plan.group(name="n" * 20, members=numbers(*range(10_000)), child_groups=children, auto_update=words)
    assert group["size"] == 10_000


def test_a_name_is_given_once(plan: Plans) -> None:
    plan = plan()
    readers, writers = plan.group(name="Readers"), plan.group(name="Writers")
    taken = (403, "conflict_group_name")
    assert refusal(plan.call("POST", "groups", {"name": "Readers"})) == taken
    assert refusal(plan.call("POST", f"groups/{writers['id']}", {"name": "Readers"})) == taken
    assert refusal(plan.call("PUT", f"groups/{writers['id']}", {"name": "Readers", "members": []})) == taken
    assert plan.call("PUT", f"groups/{readers['id']}", {"name": "Readers", "members": []}).status_code == 200


def test_an_update_adds_before_it_removes_and_takes_repeats_and_strangers(plan: Plans) -> None:
    plan = plan()
    other, gone = plan.group(members=[CARA, DORA]), plan.group(members=[DORA])
    group = plan.group(name="Readers", members=[ANNA])
    changed = plan.call(
        "POST",
        f"groups/{group['id']}",
        {
            "add": [ANNA, f"+{BERT}"],
            "remove": [BERT, "12015550199"],
            "add_from_group": other["id"],
            "remove_from_group": gone["id"],
        },
    ).json()
    assert (changed["name"], changed["size"]) == ("Readers", 2)
    assert members(plan, group) == [ANNA, CARA]
    assert changed["modified_at"] >= changed["created_at"] == group["created_at"]


def test_a_name_of_null_takes_the_name_away_and_other_nulls_nothing(plan: Plans) -> None:
    plan = plan()
    group = plan.group(name="Readers", members=[ANNA], auto_update=WORDS)
    path = f"groups/{group['id']}"
    assert plan.call("POST", path, {"add": None, "auto_update": None}).json()["name"] == "Readers"
    nameless = plan.call("POST", path, {"name": None}).json()
    assert "name" not in nameless
    assert (nameless["size"], nameless["auto_update"]) == (1, WORDS)


def test_a_replaced_group_keeps_nothing_but_its_id(plan: Plans) -> None:
    plan = plan()
    group = plan.group(name="Readers", members=[ANNA], auto_update=WORDS, child_groups=[plan.group()["id"]])
    path = f"groups/{group['id']}"
    assert refusal(plan.call("PUT", path, {"name": "Writers"})) == (400, "syntax_constraint_violation")
    replaced = plan.call("PUT", path, {"members": [BERT]}).json()
    assert set(replaced) == {"id", "size", "created_at", "modified_at"}
    assert (replaced["id"], members(plan, group)) == (group["id"], [BERT])


def test_a_deleted_group_is_gone(plan: Plans) -> None:
    plan = plan()
    group = plan.group(members=[ANNA])
    deleted = plan.call("DELETE", f"groups/{group['id']}")
    assert (deleted.status_code, deleted.content) == (200, b"")
    for method, path in (("GET", ""), ("GET", "/members"), ("POST", ""), ("PUT", ""), ("DELETE", "")):
        assert plan.call(method, f"groups/{group['id']}{path}", {}).status_code == 404
    answer = plan.post(a_batch(to=[group["id"]]))
    assert refusal(answer) == (403, "unknown_group")
    assert group["id"] in answer.json()["text"]


def test_a_batch_goes_to_numbers_and_groups_and_to_nobody_twice(plan: Plans) -> None:
    plan = plan()
    grandchildren = plan.group(members=[DORA])
    children = plan.group(members=[CARA], child_groups=[grandchildren["id"]])
    group, other = plan.group(members=[ANNA, BERT, CARA], child_groups=[children["id"]]), plan.group(members=[BERT])
    batch = plan.send(to=[f"+{ANNA}", group["id"], other["id"]], client_reference="a")
    assert batch["to"] == [ANNA, group["id"], other["id"]]
    assert recipients(plan, batch) == {ANNA, BERT, CARA, DORA}
    account = plan.account()
    assert (account["accepted_once"], account["accepted_more"]) == (4, 0)
    assert plan.get("delivery_reports", client_reference="a")["count"] == 4


def test_groups_that_hold_each_other_are_read_once(plan: Plans) -> None:
    plan = plan()
    one = plan.group(members=[ANNA])
    other = plan.group(members=[BERT], child_groups=[one["id"]])
    plan.call("PUT", f"groups/{one['id']}", {"members": [ANNA], "child_groups": [other["id"]]})
    assert recipients(plan, plan.send(to=[one["id"]])) == {ANNA, BERT}


def test_groups_of_a_scheduled_batch_are_read_when_it_is_sent(plan: Plans) -> None:
    plan = plan()
    staying, leaving = plan.group(members=[ANNA]), plan.group(members=[CARA])
    batch = plan.send(to=[BERT, staying["id"], leaving["id"]], send_at=later(seconds=0.4))
    plan.call("POST", f"groups/{staying['id']}", {"add": [DORA]})
    plan.call("DELETE", f"groups/{leaving['id']}")
    assert plan.account()["numbers"] == 1
    while not plan.get("delivery_reports")["count"]:
        pass
    assert recipients(plan, batch) == {ANNA, BERT, DORA}
    assert plan.account()["accepted_once"] == 3


def test_a_batch_to_an_empty_group_goes_to_nobody(plan: Plans) -> None:
    plan = plan()
    batch = plan.send(to=[plan.group()["id"]])
    assert recipients(plan, batch) == set()
    assert plan.get(f"batches/{batch['id']}/delivery_report")["total_message_count"] == 0


def test_a_dry_run_counts_the_members_of_groups(plan: Plans) -> None:
    plan = plan()
    group = plan.group(members=[ANNA, BERT])
    told = plan.call("POST", "batches/dry_run", a_batch(to=[ANNA, group["id"]]), per_recipient="true").json()
    assert [each["recipient"] for each in told["per_recipient"]] == [ANNA, BERT]
    assert refusal(plan.call("POST", "batches/dry_run", a_batch(to=[NO_GROUP]))) == (403, "unknown_group")


def test_people_join_and_leave_by_the_words_of_a_group_whatever_their_case(plan: Plans) -> None:
    plan = plan()
    group = plan.group(auto_update=WORDS)
    elsewhere = plan.group(auto_update={**WORDS, "to": "12345"})
    plan.written(**{"from": f"+{ANNA}", "to": "+12015550100", "body": "JOIN please"})
    plan.written(**{"from": BERT, "to": "12015550100", "body": " join"})
    plan.written(**{"from": CARA, "to": "12015550100", "body": "I join"})
    assert members(plan, group) == [ANNA, BERT]
    plan.written(**{"from": ANNA, "to": "12015550100", "body": "leave"})
    assert members(plan, group) == [BERT]
    assert members(plan, elsewhere) == []


def test_a_group_may_want_two_words(plan: Plans) -> None:
    plan = plan()
    words = {"to": "54321", "add": {"first_word": "Shop", "second_word": "Join"}}
    group = plan.group(auto_update=words)
    for text in ("Shop", "Join", "Shop leave", ""):
        plan.written(**{"from": ANNA, "to": "54321", "body": text})
    assert members(plan, group) == []
    plan.written(**{"from": ANNA, "to": "54321", "body": "sHOP\njOIN"})
    assert members(plan, group) == [ANNA]


UNKNOWN_METHODS = [
    ("DELETE", "groups"),
    ("POST", "groups/{id}/members"),
    ("PATCH", "groups/{id}"),
    ("POST", "delivery_reports"),
    ("DELETE", "batches"),
    ("PATCH", "batches/{id}"),
    ("PUT", "batches/{id}/delivery_feedback"),
    ("POST", "batches/{id}/delivery_report"),
    ("DELETE", "inbounds/{id}"),
]


def test_a_method_that_a_path_does_not_know_is_told(plan: Plans) -> None:
    plan = plan()
    group = plan.group()
    for method, path in UNKNOWN_METHODS:
        assert plan.call(method, path.format(id=group["id"])).status_code == 405, (method, path)


def test_paths_that_do_not_exist_are_not_found(plan: Plans) -> None:
    plan = plan()
    for path in ("", "tags", "batches/x/tags", "groups/x/y/z", "inbounds/x/y"):
        assert plan.call("GET", path).status_code == 404, path
