"""What a simulator can be told: by a test, on the command line, or in a scenario file."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.simulator.faults import FaultValues
from connector.simulator.outcomes import CountryRules, DigitRules, OutcomeMix

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Pace = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Phase(BaseModel):
    """A time of a scenario: what is set here stands in for the same setting of the whole, and faults come on top."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    from_second: Seconds = 0.0
    """When it begins, counted from the first message that is sent."""
    to_second: Seconds | None = None
    """When it is over; without it, never."""
    faults: FaultValues = Field(default_factory=dict)
    """Faults that come on top, or stand in for those of the same name."""
    messages_per_second: Pace | None = None
    """Pace of the account."""
    outcomes: OutcomeMix | None = None
    """What becomes of messages: outcome, written `Status:code`, to its weight."""
    countries: CountryRules | None = None
    """ISO code of a country to the outcome, or mix of outcomes, of its numbers."""
    beginnings: DigitRules | None = None
    """First digits of numbers, without a plus, to their outcome or mix."""
    endings: DigitRules | None = None
    """Last digits of numbers to their outcome or mix."""

    @model_validator(mode="after")
    def _ends_after_its_begin(self) -> "Phase":
        if self.to_second is not None and self.to_second <= self.from_second:
            raise ValueError(f"This phase ends at {self.to_second:g} and begins at {self.from_second:g} seconds.")
        return self

    def holds(self, second: float) -> bool:
        return self.from_second <= second and (self.to_second is None or second < self.to_second)


class Options(BaseModel):
    """What every simulator can be told; a provider adds its own.

    Every field is a key of a scenario file. Raises `pydantic.ValidationError`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    seed: int = 1
    """Outcomes and faults repeat for the same seed."""
    messages_per_second: Pace | None = None
    """Pace of the account; without it messages leave at once."""
    outcomes: OutcomeMix = Field(default_factory=dict)
    """What becomes of messages: outcome, written `Status:code`, to its weight."""
    countries: CountryRules = Field(default_factory=dict)
    """ISO code of a country to the outcome, or mix of outcomes, of its numbers."""
    beginnings: DigitRules = Field(default_factory=dict)
    """First digits of numbers, without a plus, to their outcome or mix; they go before countries."""
    endings: DigitRules = Field(default_factory=dict)
    """Last digits of numbers to their outcome or mix; they go before beginnings."""
    report_delay_seconds: Seconds = 0.0
    """From sending a message to its final report."""
    retry_seconds: Pace = 5.0
    """The wait before a callback's second try; the later waits grow with it, so less makes a rehearsal quick."""
    callback_connections: Annotated[int, Field(ge=1, le=64)] = 8
    """Callbacks on their way at the same time, at most."""
    faults: FaultValues = Field(default_factory=dict)
    """What goes wrong: fault to its probability, or `1x2` for the first two times."""
    phases: tuple[Phase, ...] = ()
    """Times in which something else holds."""

    def at(self, second: float) -> Mapping[str, Any]:
        """What holds then: every setting, or what a phase has in its place; `faults` are those of the phases alone."""
        held: dict[str, Any] = {**dict(self), "faults": {}}
        for phase in self.phases:
            if phase.holds(second):
                held["faults"].update(phase.faults)
                held |= {
                    name: given for name, given in phase if name in held and given is not None and name != "faults"
                }
        return held

    def turns(self) -> list[float]:
        """The seconds at which something else begins to hold."""
        ends = {phase.to_second for phase in self.phases if phase.to_second is not None}
        return sorted({phase.from_second for phase in self.phases} | ends)
