"""How many cycles each layer of a model will take on a device, from the benchmark table.

A layer's time is a sum over what its kernel does so many times: blocks packed, taps multiplied,
outputs requantized, calls. The kernels' own C files say how often (`native.count_work`); here it is
found how many cycles each of these takes, from the rows of benchmarks.json: non-negative least
squares of the relative error, one linear model for all rows, since what two kernels do alike has
one counter.
"""

import json
from dataclasses import dataclass

import numpy as np

from host_sdk import native, paths
from host_sdk.errors import MotionletError

TARGETS = ("cortex_m0plus",)  # whose kernels count


@dataclass(frozen=True)
class CostModel:
    """Cycles of each kind of work: {counter: cycles}."""

    cycles: dict

    def layers(self, data, graph):
        """Return the cycles that each op of a packed model will take a frame, a float array.

        It is the mean of all frames: an op of period n counts for an n-th.
        """
        counts, names = native.count_work(data), native.counter_names()
        for op, counter in np.argwhere(counts):
            if names[counter] not in self.cycles:
                raise MotionletError(
                    f"benchmarks.json tells nothing of {names[counter]}, which op {op} needs"
                )
        cycles = counts @ np.array([self.cycles.get(name, 0.0) for name in names])
        return cycles / [op.period for op in graph.ops]

    def row(self, row):
        """Return the cycles that a row of benchmarks.json would have."""
        return sum(n * self.cycles.get(name, 0.0) for name, n in row["work"].items())


def work_of(data):
    """Return what each op of a packed model does, as rows of benchmarks.json have it.

    That is [{counter: how often}], without what an op does not do.
    """
    names = native.counter_names()
    return [
        {name: int(n) for name, n in zip(names, counts, strict=True) if n}
        for counts in native.count_work(data)
    ]


def fit(rows, target, device):
    """Return the `CostModel` of a target from the rows of benchmarks.json measured on `device`.

    Raises MotionletError when there are none.
    """
    return _fit(_known(rows, target, device))


def hold_out(rows, target, device):
    """Return how well a network's cycles are foretold by a fit to all other rows.

    {held_out_frame_error_max, held_out_layer_error_p90, networks}: shares of the measured cycles;
    `networks` are {network, layers, cycles, reckoned, frame_error, layer_error_p90}.
    """
    known = _known(rows, target, device)
    networks = dict.fromkeys(_network(row) for row in known if _network(row))
    found, errors = [], []
    for network in networks:
        mine = [row for row in known if _network(row) == network]
        model = _fit([row for row in known if _network(row) != network])
        measured = np.array([row["cycles"] for row in mine])
        reckoned = np.array([model.row(row) for row in mine])
        each = np.abs(reckoned / measured - 1)
        errors.extend(each)
        found.append(
            {
                "network": network,
                "layers": len(mine),
                "cycles": int(measured.sum()),
                "reckoned": round(reckoned.sum()),
                "frame_error": round(reckoned.sum() / measured.sum() - 1, 4),
                "layer_error_p90": round(float(np.quantile(each, 0.9)), 4),
            }
        )
    return {
        "held_out_frame_error_max": max(abs(entry["frame_error"]) for entry in found),
        "held_out_layer_error_p90": round(float(np.quantile(errors, 0.9)), 4),
        "networks": found,
    }


def figures_path():
    """Return where the repository keeps what `hold_out` found."""
    return paths.repository() / "figures/cost_model.json"


def stored_figures():
    """Return what `hold_out` found, as the repository keeps it."""
    return json.loads(figures_path().read_text(encoding="utf-8"))


def _network(row):
    """Return the network that a row's layer is of; "" of a kernel by itself."""
    return row["case"].rpartition("/")[0] and row["case"].partition("/")[0]


def _known(rows, target, device):
    known = [r for r in rows if "work" in r and (r["impl"], r["device"]) == (target, device)]
    if not known:
        raise MotionletError(f"no cycles of {target} on {device} are known: run `host_sdk bench`")
    return known


def _fit(rows):
    from scipy.optimize import nnls

    names = list(dict.fromkeys(name for row in rows for name in row["work"]))
    measured = np.array([row["cycles"] for row in rows], float)
    counts = np.array([[row["work"].get(name, 0) for name in names] for row in rows], float)
    counts /= measured[:, None]
    length = np.linalg.norm(counts, axis=0)  # or those of seldom work would be lost in rounding
    found, _ = nnls(counts / length, np.ones(len(rows)))
    return CostModel(dict(zip(names, (found / length).tolist(), strict=True)))
