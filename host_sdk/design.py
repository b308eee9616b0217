"""Networks that fit a board: the cost model, turned round.

What a network will cost is reckoned from the real thing: the Keras network with random weights is
quantized, planned and packed for the board's kernels, which gives RAM and flash to the byte
(neither depends on what the weights are); `cost_model` gives the cycles.

Of the networks within a budget the best is the one with the greatest *capacity*: parameters times
MACs a frame. More of either helps more often than not, and no training is needed to count them.
It is a rule of thumb: train two or three of the networks found, and compare.
"""

import bisect
from dataclasses import dataclass
from functools import cache

import numpy as np

from host_sdk import bench, cost_model, mlet_file, native, planner, targets
from host_sdk.errors import MotionletError
from host_sdk.networks import NETWORKS, options_of
from host_sdk.normalization import PIXELS

SCALES = ("width", "alpha")  # the option that scales everything else of a network
STEP = 1.04  # from one width to the next: few channels stay the same
# What is tried of the other options, besides the default.
GRID = {
    "late_fusion": {"features": (16, 64), "copies": (1,)},
    "phinet": {"beta": (0.5, 2.0), "t0": (2.0, 5.0), "blocks": (3, 6)},
    "xinet": {"gamma": (2.0, 3.0)},
}


@dataclass(frozen=True)
class Budget:
    """What a model may take."""

    ram_bytes: int  # of a stream: arena and state
    flash_bytes: int  # of the packed file
    cycles: float  # of a frame

    def excess(self, design):
        """Return [what is over the budget], in words."""
        limits = (
            ("RAM", design.ram_bytes, self.ram_bytes, "bytes"),
            ("flash", design.flash_bytes, self.flash_bytes, "bytes"),
            ("time", design.cycles, self.cycles, "cycles a frame"),
        )
        return [
            f"{name} {used:,.0f} of {limit:,.0f} {unit}"
            for name, used, limit, unit in limits
            if used > limit
        ]


@dataclass(frozen=True)
class Design:
    """A network and what it costs on a board."""

    network: str
    options: dict
    parameters: int
    macs: int  # a frame
    ram_bytes: int
    flash_bytes: int
    cycles: float  # a frame

    @property
    def capacity(self):
        return float(self.parameters) * self.macs


@dataclass(frozen=True)
class Problem:
    """The frames and classes that a network is for, and the board it is to run on."""

    frame_shape: tuple
    labels: tuple
    board: object
    normalization: object = PIXELS

    def design(self, network, options):
        """Return the `Design` of a network with these options."""
        graph = bench.random_network(
            *(network, self.frame_shape, len(self.labels), options, self.labels),
            normalization=self.normalization,
        )
        return self.cost_of(network, options, graph)

    def cost_of(self, network, options, graph):
        """Return the `Design` of a network whose quantized graph is there."""
        plan = planner.plan(graph, targets.scratch_bytes(self.board.target))
        data = mlet_file.pack(graph, plan, self.board.target)
        return Design(
            network,
            dict(options),
            graph.parameters,
            graph.macs_per_frame,
            native.Model(data).stream_bytes,
            len(data),
            float(np.sum(cost_model_of(self.board).layers(graph, plan))),
        )


@cache
def cost_model_of(board):
    """Return the `cost_model.CostModel` of a board. Raises MotionletError when it has none."""
    return cost_model.fit(bench.stored_rows(), board.target, board.benchmarked_on)


def find(problem, budget, network, fixed=None, on_step=None):
    """Return the `Design` of greatest capacity of `network` within `budget`.

    `fixed` are options, {name: value}, that must stay. The widest network that fits is found for
    the other options' defaults, then for each of their values in turn, until none is better.
    `on_step()` is called for each network tried. Raises MotionletError, with the least that would
    do, when none fits.
    """
    fixed, known = fixed or {}, options_of(network)
    scale = next(name for name in SCALES if name in known)
    low, high = known[scale].low, known[scale].high
    widths = [round(low * STEP**i, 3) for i in range(int(np.log(high / low) / np.log(STEP)) + 1)]
    if scale in fixed:
        widths = [fixed[scale]]

    @cache
    def tried(items):
        if on_step:
            on_step()
        return problem.design(network, dict(items))

    def design(others, width):
        return tried(tuple(sorted({**others, scale: width}.items())))

    def widest(others):
        """Return the last design that fits as the width grows, or None."""

        def too_wide(width):
            return bool(budget.excess(design(others, width)))

        if too_wide(widths[0]):  # and so are all others
            return None
        return design(others, widths[bisect.bisect_left(widths, True, lo=1, key=too_wide) - 1])

    free = {name: v for name, v in GRID.get(network, {}).items() if name not in fixed}
    others = {**{name: known[name].default for name in free}, **fixed}
    best, improved = widest(others), True
    while improved:
        improved = False
        for name, values in free.items():
            for value in values:
                found = widest({**others, name: value})
                if found and (best is None or found.capacity > best.capacity):
                    best, others, improved = found, {**others, name: value}, True
    if best is None:
        least = design({**{name: min(values) for name, values in free.items()}, **fixed}, widths[0])
        raise MotionletError(
            f"no {network} fits: the smallest takes {'; '.join(budget.excess(least))}"
        )
    return best


def find_all(problem, budget, networks=None, fixed=None, on_step=None):
    """Return ([Design], [why another has none]) of several networks, the greatest capacity first.

    By default all but the baseline. Raises MotionletError when none fits.
    """
    designs, failures = [], []
    for network in networks or [name for name in NETWORKS if name != "per_frame"]:
        try:
            designs.append(find(problem, budget, network, fixed, on_step))
        except MotionletError as error:
            failures.append(str(error))
    if not designs:
        raise MotionletError("; ".join(dict.fromkeys(failures)))
    return sorted(designs, key=lambda design: -design.capacity), failures
