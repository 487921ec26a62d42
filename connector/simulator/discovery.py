"""Finding the simulators that are installed."""

from importlib.metadata import entry_points

from connector.model.errors import NotFound, PluginError
from connector.simulator.simulator import Simulator

GROUP = "connector.simulators"


def simulators() -> list[str]:
    """The names of the installed simulators; none of them is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def find(name: str) -> Simulator:
    """The simulator of a provider.

    Raises `NotFound` when there is none of that name, `PluginError` when it can't be used.
    """
    for entry in entry_points(group=GROUP, name=name):
        try:
            found = entry.load()
        except Exception as error:
            raise PluginError(f"The simulator {name} fails to import: {type(error).__name__}: {error}") from error
        if not isinstance(found, Simulator):
            raise PluginError(f"The entry point {name} of {GROUP} is no Simulator but {type(found).__name__}.")
        return found
    raise NotFound(f"There is no simulator {name}; installed are: {', '.join(simulators()) or 'none'}.")
