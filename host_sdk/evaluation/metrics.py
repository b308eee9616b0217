"""Figures of merit, each with what it needs to be judged by.

In all of these `labels` is int [N], `answers` int [N] or [N, T] and `probabilities` float
[N, classes]. A *share* is a dict {value, low, high, right, of, worth}: `right` of `of`, and the
95% Wilson interval of the true share, for as many independent answers as those are `worth`.
"""

import numpy as np

CONFIDENCE = 0.95
BINS = 10  # of confidence, all of one width


def share(right, of, worth=None):
    """Return `right` of `of` as a share; by default they are worth as many as they are.

    The interval is Wilson's (1927), which holds near 0 and 1 too.
    """
    from scipy.stats import norm

    value, n = int(right) / int(of), float(of if worth is None else worth)
    z = norm.ppf((1 + CONFIDENCE) / 2)
    middle = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    return {
        "value": value,
        "low": max(0.0, float(middle - half)) if right else 0.0,
        "high": min(1.0, float(middle + half)) if right < of else 1.0,
        "right": int(right),
        "of": int(of),
        "worth": n,
    }


def worth(right, groups=None):
    """Return how many independent answers tell as much as `right`, bool [N].

    Answers of one group (windows of one film, clips of one person) are right or wrong together.
    Their share varies by the design effect more than that of N independent ones (Rao and Scott,
    1992), and of few groups that is known only roughly: t stands for the normal quantile (Korn
    and Graubard, 1998). Where all are right, or none, a group counts as one answer.
    """
    from scipy.stats import norm, t

    count = len(right)
    if groups is None:
        return float(count)
    index = np.unique(groups, return_inverse=True)[1]
    units, mean = index.max() + 1, np.mean(right)
    if units == count:
        return float(count)
    if units == 1 or mean in (0, 1):
        return float(units)
    over = np.bincount(index, right - mean)  # right answers of each group above the mean
    effect = units / (units - 1) * (over @ over) / (count * mean * (1 - mean))
    quantile = (1 + CONFIDENCE) / 2
    known = (norm.ppf(quantile) / t.ppf(quantile, units - 1)) ** 2
    return float(max(1.0, known * count / max(effect, 1.0)))


def accuracy(labels, answers, groups=None):
    """Return the share of answers that are the label. `groups` [N]: see `worth`."""
    right = np.asarray(labels) == np.asarray(answers)
    return share(right.sum(), len(right), worth(right, groups))


def chance(labels):
    """Return what one gets who always answers the most frequent label: a number."""
    return float(np.max(np.bincount(labels)) / len(labels))


def softmax(logits, temperature=1.0):
    """Return probabilities of real logits [..., classes] divided by `temperature`."""
    from scipy.special import softmax as stable

    return stable(np.asarray(logits, np.float64) / temperature, axis=-1)


def confusion(labels, answers, classes):
    """Return counts as a list of rows: one row for each true class, one column for each answer."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, answers, labels=range(classes)).tolist()


def by_class(labels, answers, names):
    """Return [{label, precision, recall, f1, clips}]; None where there is nothing to divide by."""
    from sklearn.metrics import precision_recall_fscore_support

    rows = zip(
        *precision_recall_fscore_support(
            labels, answers, labels=range(len(names)), zero_division=np.nan
        ),
        strict=True,
    )
    return [
        {
            "label": name,
            "precision": _number(precision),
            "recall": _number(recall),
            "f1": _number(f1),
            "clips": int(clips),
        }
        for name, (precision, recall, f1, clips) in zip(names, rows, strict=True)
    ]


def _number(value):
    return None if np.isnan(value) else float(value)


def by_frame(labels, answers, groups=None):
    """Return the accuracy after each frame of the clips, a list of T shares."""
    return [accuracy(labels, column, groups) for column in np.asarray(answers).T]


def frames_to_decide(labels, answers):
    """Return how many frames each clip takes until the answer is right and stays so, float [N].

    NaN where the last answer is wrong.
    """
    wrong = np.asarray(answers) != np.asarray(labels)[:, None]
    frames = wrong.shape[1]
    last_wrong = frames - 1 - np.argmax(wrong[:, ::-1], axis=1)
    needed = np.where(wrong.any(axis=1), last_wrong + 2, 1).astype(float)
    needed[wrong[:, -1]] = np.nan
    return needed


def calibration(labels, probabilities):
    """Return {ece, bins: [{low, high, confidence, accuracy, clips}]} of the likeliest answers.

    The expected calibration error is the mean of |accuracy - confidence| over the bins, weighted
    by their clips (Guo et al., 2017). Empty bins are left out.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        {
            "low": b / BINS,
            "high": (b + 1) / BINS,
            "confidence": float(confidence[index == b].mean()),
            "accuracy": float(right[index == b].mean()),
            "clips": int(np.sum(index == b)),
        }
        for b in np.unique(index)
    ]
    gaps = [b["clips"] * abs(b["accuracy"] - b["confidence"]) for b in bins]
    return {"ece": sum(gaps) / len(labels), "bins": bins}


def fit_temperature(labels, logits):
    """Return the temperature that makes real logits [N, classes] likeliest, in 1/20 ... 20.

    It changes how sure the answers are, not which they are. Fit it on clips that nothing else
    is measured on. Without a single wrong answer nothing bounds it from below: then it is 1.
    """
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import log_loss

    if np.array_equal(logits.argmax(axis=1), labels):
        return 1.0

    def loss(log_temperature):
        probabilities = softmax(logits, np.exp(log_temperature))
        return log_loss(labels, probabilities, labels=range(logits.shape[1]))

    most = np.log(20)
    return float(np.exp(minimize_scalar(loss, bounds=(-most, most), method="bounded").x))


def fewer_right(labels, answers, others, groups=None):
    """Return the p-value of "the others are not worse": McNemar's exact test, one-sided.

    Only clips that one answers rightly and the other wrongly tell the two apart. With `groups` [N]
    each group has one vote, for whichever is right more often in it.
    """
    from scipy.stats import binomtest

    better = (answers == labels).astype(int) - (others == labels)
    if groups is not None:
        better = np.bincount(np.unique(groups, return_inverse=True)[1], better)
    lost, won = int(np.sum(better > 0)), int(np.sum(better < 0))
    return float(binomtest(lost, lost + won, alternative="greater").pvalue) if lost + won else 1.0


def spread(values):
    """Return {mean, sd, low, high, values}; sd is that of a sample, None for one value."""
    values = [float(v) for v in values]
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "low": min(values),
        "high": max(values),
        "values": values,
    }
