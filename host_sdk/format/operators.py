"""The operators, as data: what each one is, stated once.

C headers, SPEC.md's table, the checks, the planner and the tools derive from `OPS`. What an
operator computes is not here: SPEC.md says it, and the golden model and the C kernels are two
readings of that.
"""

from dataclasses import dataclass

# What can be true of an operator, in the order of the bits of MLET_TRAIT_... in C.
TRAITS = {
    "weights": "weights and a bias; a multiplier and a shift for each output channel",
    "rows": "its weights are rows, one to an output channel, so it chooses how many there are",
    "int4": "its weights may be of 4 bits",
    "window": "a window over the image, with a kernel and a stride",
    "padding": "its window may reach beyond the image, and may be dilated",
    "vector": "takes its input as one vector; the output is 1 x 1",
    "scale": "one multiplier and one shift for all channels",
    "copy": "copies values: its output has the scale and the zero point of its input",
    "chains": "may run row by row, in a chain",
    "in_place": "may write its output exactly over an input",
    "slots": "keeps earlier frames of its input, each in a slot",
    "channels": "keeps channels of the previous frame, shift_channels of them",
    "shift": "may do so as it reads, in place of a temporal_shift before it",
    "two_inputs": "adds up two inputs; a multiplier for each, and one shift",
}

# Of these traits, an operator is called in the form of the first that it has: see mlet_run_t in C.
FORMS = ("two_inputs", "slots", "shift", "channels")


@dataclass(frozen=True)
class Operator:
    """One operator. `since`: the version of the format it came with; `has`: its `TRAITS`.

    `core`: whether networks of the six families have it, so that it is in a build of "core".
    """

    code: int
    has: frozenset
    since: int = 1
    core: bool = True

    @property
    def inputs(self):
        """How many tensors it reads."""
        return 2 if "two_inputs" in self.has else 1

    @property
    def form(self):
        """How its kernels are called: one of `FORMS`, or "plain"."""
        return next((form for form in FORMS if form in self.has), "plain")


def _operator(code, has, **others):
    traits = frozenset(has.split())
    if unknown := traits - set(TRAITS):
        raise ValueError(f"operator {code}: no such traits: {sorted(unknown)}")
    return Operator(code, traits, **others)


OPS = {
    "conv2d": _operator(1, "weights rows int4 window padding chains"),
    "depthwise2d": _operator(2, "weights window padding chains channels shift"),
    "pointwise": _operator(3, "weights rows int4 chains channels shift"),
    "temporal_depthwise": _operator(4, "weights chains in_place slots"),
    "temporal_shift": _operator(5, "copy chains in_place channels"),
    "add": _operator(6, "in_place two_inputs"),
    "average_pool": _operator(7, "window scale chains"),
    "temporal_average": _operator(8, "scale in_place slots"),
    "dense": _operator(9, "weights rows int4 vector"),
    "max_pool2d": _operator(10, "window padding copy chains", since=4, core=False),
}

OP_CODES = {kind: operator.code for kind, operator in OPS.items()}


def having(trait, *others):
    """Return the kinds of operators that have all these traits, in the order of `OPS`."""
    wanted = {trait, *others}
    if unknown := wanted - set(TRAITS):
        raise ValueError(f"no such traits: {sorted(unknown)}")
    return tuple(kind for kind, operator in OPS.items() if wanted <= operator.has)
