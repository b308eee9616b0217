"""From probabilities to alarms, and how often they are false.

A device that watches all day meets background nearly always. What counts then is how often it
speaks though nothing happens, at a rule that still notices what does.
"""

from dataclasses import dataclass

import numpy as np

from host_sdk.errors import MotionletError

# Names of classes that mean "nothing to report", in lower case.
BACKGROUND_NAMES = (
    *("background", "none", "other", "idle", "nothing", "empty", "still", "frozen"),
)
FEW_MINUTES = 30  # of background, of which a rate of false alarms says little
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # compared with the rule's own


@dataclass(frozen=True)
class Rule:
    """When to speak: the mean probability of a class over the last `smooth` frames has been
    `threshold` or more for `hold` frames in a row.

    It speaks again for that class once the mean was below the threshold.
    """

    smooth: int = 4
    threshold: float = 0.8
    hold: int = 3

    def __post_init__(self):
        for name in ("smooth", "hold"):
            if getattr(self, name) < 1:
                raise MotionletError(f"{name} must be at least 1 frame, not {getattr(self, name)}")
        if not 0 < self.threshold <= 1:
            raise MotionletError(f"threshold must be above 0 and at most 1, not {self.threshold}")

    def alarms(self, probabilities):
        """Return [(frame, class)] of the alarms in one stream, probabilities [T, classes]."""
        total = np.cumsum(probabilities, axis=0)
        total[self.smooth :] -= total[: -self.smooth].copy()
        frames = np.minimum(np.arange(1, len(total) + 1), self.smooth)
        sure = total / frames[:, None] >= self.threshold - 1e-9
        # A run of `hold` frames ends here, and did not end one frame earlier.
        padded = np.pad(sure, ((self.hold, 0), (0, 0)))
        held = np.lib.stride_tricks.sliding_window_view(padded, self.hold, axis=0).all(axis=-1)
        return [(int(t), int(c)) for t, c in np.argwhere(held[1:] & ~held[:-1])]


def background_classes(labels):
    """Return the indices of the labels that mean background."""
    return [i for i, label in enumerate(labels) if label.lower() in BACKGROUND_NAMES]


def false_alarms(rule, streams, quiet, frames_per_second):
    """Return what the rule says on background alone.

    `streams` holds probabilities [T, classes], one array a stream; alarms of the classes in
    `quiet` do not count. Returns {alarms, hours, per_hour, low, high}: the 95% interval is the
    exact one of a Poisson rate, so that no alarm in a short time is not taken for none at all.
    """
    count = sum(c not in quiet for stream in streams for _, c in rule.alarms(stream))
    return false_alarms_seen(count, sum(map(len, streams)) / frames_per_second / 3600)


def false_alarms_seen(count, hours):
    """Return what `false_alarms` does, of `count` alarms in so many hours."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return {
        "alarms": count,
        "hours": hours,
        "per_hour": count / hours,
        "low": float(low / hours),
        "high": float(high / hours),
    }


def events(rule, labels, probabilities, quiet):
    """Return what the rule says on clips of events, those whose label is not in `quiet`.

    Each clip is a stream of its own. Returns {events, right, wrong, silent, frames}: how often
    the first alarm names the label, names another event, or there is none; and the frame (counted
    from 1) of each right one.
    """
    counts = {"events": 0, "right": 0, "wrong": 0, "silent": 0}
    frames = []
    for label, stream in zip(labels, probabilities, strict=True):
        if label in quiet:
            continue
        counts["events"] += 1
        first = next(((t, c) for t, c in rule.alarms(stream) if c not in quiet), None)
        if first is None:
            counts["silent"] += 1
        elif first[1] == label:
            counts["right"] += 1
            frames.append(first[0] + 1)
        else:
            counts["wrong"] += 1
    return {**counts, "frames": frames}
