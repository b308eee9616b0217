"""Figures of merit, each with what it needs to be judged by.

In all of these `labels` is int [N], `answers` int [N] or [N, T] and `probabilities` float
[N, classes]. A *share* is a dict {value, low, high, right, of}: `right` of `of`, and the 95%
Wilson interval of the true share.
"""

import numpy as np

CONFIDENCE = 0.95
BINS = 10  # of confidence, all of one width


def share(right, of):
    """Return `right` of `of` as a share. The interval is Wilson's, which holds near 0 and 1 too."""
    from scipy.stats import binomtest

    interval = binomtest(int(right), int(of)).proportion_ci(CONFIDENCE, "wilson")
    return {
        "value": int(right) / int(of),
        "low": max(0.0, float(interval.low)),
        "high": min(1.0, float(interval.high)),
        "right": int(right),
        "of": int(of),
    }


def accuracy(labels, answers):
    """Return the share of answers that are the label."""
    return share(np.sum(labels == answers), len(labels))


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


def by_frame(labels, answers):
    """Return the accuracy after each frame of the clips, a list of T shares."""
    return [accuracy(labels, column) for column in np.asarray(answers).T]


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


def fewer_right(labels, answers, others):
    """Return the p-value of "the others are not worse": McNemar's exact test, one-sided.

    Only clips that one answers rightly and the other wrongly tell the two apart.
    """
    from scipy.stats import binomtest

    mine, theirs = answers == labels, others == labels
    lost, won = int(np.sum(mine & ~theirs)), int(np.sum(~mine & theirs))
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
