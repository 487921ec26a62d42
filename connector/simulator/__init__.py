"""Local doubles of providers' APIs, for demos, rehearsals and tests: what all of them share.

A simulator is found under the entry point group `connector.simulators`, so that production never
imports one. `running` serves one in a thread; `serve` in the foreground.
"""

from connector.simulator.discovery import find, simulators
from connector.simulator.options import Options, Phase
from connector.simulator.serving import running, serve
from connector.simulator.simulator import Simulator, SinkSimulator, configuration

__all__ = ["Options", "Phase", "Simulator", "SinkSimulator", "configuration", "find", "running", "serve", "simulators"]
