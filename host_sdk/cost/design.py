"""Networks that fit a board: the cost model, turned round.

What a network will cost is reckoned from the real thing: the Keras network is given random weights,
made a graph of integers, planned and packed for the board's kernels, which gives RAM and flash to
the byte (neither depends on what the weights are); `cost_model` gives the cycles.

Of the networks within a budget the best is the one with the greatest *capacity*: parameters times
MACs a frame. More of either helps more often than not, and no training is needed to count them.
It is a rule of thumb: train two or three of the networks found, and compare.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import stored_rows
from host_sdk.errors import MotionletError
from host_sdk.format.normalization import PIXELS
from host_sdk.networks import NETWORKS, build_network, import_keras, options_of
from host_sdk.pack import mlet_file
from host_sdk.pack.packing import plan_for
from host_sdk.quantize import describe, input_tensor, make_graph, make_tensors, trace

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

    def untrained(self, network, options):
        """Return the graph of a network whose weights are drawn from a normal distribution.

        What trained weights are like is near enough for `cost_model`. Nothing is calibrated: the
        ranges of the tensors are made up, each another, as a file holds equal arrays once.
        """
        keras = import_keras()
        with keras.StatelessScope(initialize_variables=False):  # variables of shapes only
            model = build_network(network, self.frame_shape, len(self.labels), **options)
        rng = np.random.default_rng(0)

        def value(variable):
            scale = variable.name in ("gamma", "moving_variance")
            return np.ones(variable.shape) if scale else rng.normal(size=variable.shape)

        with keras.StatelessScope([(v, value(v)) for v in model.weights]):
            ops = trace(model)
        ranges = [
            (max(op.low, -high), high)
            for op, high in zip(ops, rng.uniform(3, 6, len(ops)), strict=True)
        ]
        tensors = make_tensors(ops, input_tensor(model, self.normalization), ranges)
        return describe(make_graph(ops, tensors), self.labels, 10, self.normalization)

    def design(self, network, options):
        """Return the `Design` of a network with these options."""
        return self.cost_of(network, options, self.untrained(network, options))

    def cost_of(self, network, options, graph):
        """Return the `Design` of a network whose quantized graph is there."""
        lean, plan = plan_for(graph, self.board.target)
        data = mlet_file.pack(lean, plan, self.board.target)
        return Design(
            network,
            dict(options),
            graph.parameters,
            graph.macs_per_frame,
            plan.stream_bytes,
            len(data),
            float(np.sum(cost_model_of(self.board).layers(data, graph))),
        )


@cache
def cost_model_of(board):
    """Return the `cost_model.CostModel` of a board. Raises MotionletError when it has none."""
    return cost_model.fit(stored_rows(), board.target, board.benchmarked_on)


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
    widths = [round(low * STEP**i, 3) for i in range(int(math.log(high / low, STEP)) + 1)]
    if scale in fixed:
        widths = [fixed[scale]]
    free = {name: v for name, v in GRID.get(network, {}).items() if name not in fixed}
    default = min(range(len(widths)), key=lambda i: abs(widths[i] - known[scale].default))

    @cache
    def untrained(items):
        if on_step:
            on_step()
        return problem.untrained(network, dict(items))

    @cache
    def costs(items):
        return problem.cost_of(network, dict(items), untrained(items))

    def widest(others, beyond):
        """Return the last design that fits as the width grows, if its capacity is above `beyond`.

        Otherwise None.
        """

        def items(i):
            return tuple(sorted({**others, scale: widths[i]}.items()))

        def better(i):
            graph = untrained(items(i))
            return float(graph.parameters) * graph.macs_per_frame > beyond

        def too_wide(i):
            least = _array_bytes(untrained(items(i)))
            return least > budget.flash_bytes or bool(budget.excess(costs(items(i))))

        graph = untrained(items(default))
        first = 0
        if beyond:  # capacity grows about with the fourth power of the width
            ratio = beyond / (graph.parameters * graph.macs_per_frame)
            first = _first(better, 0, len(widths), default + _steps(ratio) / 4)
        if first == len(widths) or too_wide(first):
            return None
        usual = costs(items(default))
        room = min(  # RAM grows about with the width, the others with its square
            _steps(budget.ram_bytes / usual.ram_bytes),
            _steps(budget.flash_bytes / usual.flash_bytes) / 2,
            _steps(budget.cycles / usual.cycles) / 2,
        )
        return costs(items(_first(too_wide, first + 1, len(widths), default + room) - 1))

    others = {**{name: known[name].default for name in free}, **fixed}
    best, improved = widest(others, 0), True
    while improved:
        improved = False
        for name, values in free.items():
            for value in values:
                found = widest({**others, name: value}, best.capacity if best else 0)
                if found:
                    best, others, improved = found, {**others, name: value}, True
    if best is None:
        least = {name: min(values) for name, values in free.items()}
        smallest = problem.design(network, {**least, **fixed, scale: widths[0]})
        raise MotionletError(
            f"no {network} fits: the smallest takes {'; '.join(budget.excess(smallest))}"
        )
    return best


def _array_bytes(graph):
    """Return the bytes of a graph's arrays: fewer than those of its packed file."""
    return sum(
        array.nbytes
        for op in graph.ops
        for array in (op.weights, op.bias, op.multiplier, op.shift)
        if array is not None
    )


def _steps(ratio):
    """Return how many `STEP`s multiply to `ratio`."""
    return math.log(ratio, STEP)


def _first(is_true, low, high, guess):
    """Return the first i in low ... high - 1 with is_true(i), or else high.

    Where it is true it is so for all greater i. Tried first are those around `guess`.
    """
    if low == high:
        return high
    at, step = min(max(round(guess), low), high - 1), 1
    while low < high:
        if is_true(at):
            high, at = at, at - step
        else:
            low, at = at + 1, at + step
        step *= 2
        if not low <= at < high:
            at = (low + high) // 2
    return low


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
