"""The contract of a provider's class: it writes what it can, and declines the rest with a reason."""

from typing import Any, ClassVar

import pytest

from connector.extension import IntegrationSettings, Provider
from connector.extension.provider import OPTIONAL, problems
from connector.model.errors import PluginError
from connector.model.limits import Limits

REASONS = dict.fromkeys(OPTIONAL, "it can't")


def made(declines: dict[str, str], *written: str) -> type[Provider]:
    """A provider class that declines and writes some of the methods that may be declined."""
    namespace: dict[str, Any] = {
        "name": "drums",
        "title": "Drums",
        "Settings": IntegrationSettings,
        "limits": Limits(),
        "codes": {},
        "declines": declines,
        **{method: lambda self, *_: None for method in ("__init__", "check", "send", "parse", *written)},
        "account": "drums:all",
    }
    return type("Drums", (Provider,), namespace)


@pytest.mark.parametrize("method", OPTIONAL)
def test_a_method_is_written_or_declined(method: str) -> None:
    others = {name: reason for name, reason in REASONS.items() if name != method}
    assert made(others, method).supports(method)
    assert not made(REASONS).supports(method)
    with pytest.raises(PluginError, match=f"Drums breaks its contract: it neither writes {method} nor declines it"):
        made(others)
    with pytest.raises(PluginError, match=f"it writes {method} and declines it"):
        made(REASONS, method)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PluginError) as raised:
        made({"send": "never", "find": "it can't"}, "find")
    for words in (
        "it writes find and declines it",
        "it neither writes poll nor",
        "it neither writes cancel nor",
        "it neither writes verify nor",
        "it declines send, which can't be declined",
    ):
        assert words in str(raised.value)


def test_a_subclass_of_a_provider_may_write_what_its_base_declines() -> None:
    base = made(REASONS)

    class More(base):  # type: ignore[misc, valid-type]
        declines: ClassVar[dict[str, str]] = {name: reason for name, reason in REASONS.items() if name != "find"}

        def find(self, batch: Any) -> None:
            pass

    assert More.supports("find") and not base.supports("find")
    with pytest.raises(PluginError, match="it writes find and declines it"):
        type("Both", (base,), {"find": lambda self, batch: None})


def test_what_is_declined_says_why_when_it_is_called() -> None:
    drums = made(REASONS)(None, None)  # type: ignore[arg-type]
    for call in (
        lambda: drums.find(None),  # type: ignore[arg-type]
        lambda: drums.poll(None),  # type: ignore[arg-type]
        lambda: drums.cancel("x"),
        lambda: drums.verify(None, now_seconds=0.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(PluginError, match="it can't"):
            call()


@pytest.mark.parametrize("missing", ["name", "title", "Settings", "limits", "codes"])
def test_a_class_that_lacks_something_is_named_by_it(missing: str) -> None:
    drums = made(REASONS)
    delattr(drums, missing)
    assert problems(drums) == [f"it lacks {missing}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", ""), ("name", 7), ("title", None), ("Settings", int), ("Settings", "x"), ("limits", None), ("codes", [])],
)
def test_a_class_with_something_of_the_wrong_kind(name: str, value: Any) -> None:
    drums = made(REASONS)
    assert problems(drums) == []
    setattr(drums, name, value)
    (problem,) = problems(drums)
    assert name in problem


@pytest.mark.parametrize("offered", [None, object, int, "drums", made(REASONS)(None, None)])  # type: ignore[arg-type]
def test_what_is_no_provider(offered: Any) -> None:
    assert problems(offered) == ["it is not a subclass of Provider"]
