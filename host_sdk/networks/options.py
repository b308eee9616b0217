"""Options of networks: numbers with a default and a range, each told in one line."""

import math
from typing import NamedTuple

from host_sdk.errors import MotionletError


class Option(NamedTuple):
    """A number from `low` to `high`; it must be an integer if `default` is one."""

    default: float
    low: float
    high: float
    help: str

    def __str__(self):
        return f"{self.low:g} to {self.high:g}, {self.default:g} unless given: {self.help}"


WIDTH = Option(1.0, 0.1, 16.0, "scales the channels of all layers, to multiples of 4")
SHIFT = Option(0.25, 0.05, 0.5, "share of the channels that come from the previous frame")


def complete(network, known, given):
    """Return {name: value} with a value for every option: those given, else their defaults.

    `known` is the OPTIONS of the module of `network`. Raises MotionletError for what it lacks, a
    number out of range or a fraction where an integer is wanted.
    """
    values = {name: option.default for name, option in known.items()}
    for name, value in given.items():
        if name not in known:
            raise MotionletError(
                f"{network} has no option {name!r}; it has: {', '.join(known) or 'none'}"
            )
        option = known[name]
        whole = isinstance(option.default, int)
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or not option.low <= value <= option.high or (whole and value % 1):
            kind = "an integer" if whole else "a number"
            raise MotionletError(
                f"{name} of {network} must be {kind} from {option.low:g} to {option.high:g}, "
                f"not {value!r}"
            )
        values[name] = int(value) if whole else float(value)
    return values
