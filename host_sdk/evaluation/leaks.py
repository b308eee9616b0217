"""Does something besides what happens in a clip give its label away?

A small classifier is given nothing but such a clue. If it beats chance on clips that it was not
fitted to, a network may live on that clue as well, and its accuracy says less than it seems to.
"""

import contextlib
import zlib

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.evaluation import metrics

FOLDS = 5
ALPHA = 0.001  # several clues are tried, so a single one must be this unlikely by chance


def clues(task, samples, labels):
    """Return ({name: float [N] or [N, k]}, labels [N], groups [N]): what `find_leaks` takes.

    Of a folder of clips each file is a row, whatever its split; of a task that makes clips, each
    of `samples`.
    """
    if hasattr(task, "clips"):
        return _clues_of_files(task)
    compressed = [len(zlib.compress(np.ascontiguousarray(clip), 1)) for clip in samples]
    return {**_levels(samples), "compressed size": np.array(compressed)}, labels, None


def _clues_of_files(task):
    clips, films = [], []
    for clip in task.clips:
        with contextlib.suppress(MotionletError):  # broken inside: training does without it too
            films.append(task.frames_of(clip))
            clips.append(clip)
    infos = [clip.info for clip in clips]
    found = {
        "clip length": np.array([info.frames for info in infos]),
        "frame rate": np.array([info.fps or 0 for info in infos]),
        "picture size": np.array([(info.height, info.width) for info in infos]),
        "file size": np.array([(task.folder / clip.name).stat().st_size for clip in clips]),
        **_levels(films),
    }
    groups = [task.groups.get(clip.name, clip.info.sha256) for clip in clips]
    labels = np.array([task.LABELS.index(clip.label) for clip in clips])
    return found, labels, np.unique(groups, return_inverse=True)[1]


def _levels(films):
    return {
        "mean level": np.array([film.mean() for film in films]),
        "contrast": np.array([film.std() for film in films]),
    }


def find_leaks(clues, labels, groups=None, seed=0):
    """Try each clue by itself; return [{clue, accuracy: share, chance, p, leak}].

    `clues` is {name: float [N] or [N, k]}. `groups` [N]: clips of one group (cut from the same
    film, say) are never on both sides, and count for what they are worth together. The classifier
    is a random forest, cross-validated. A clue that is the same for all clips tells nothing: its
    accuracy is None. So it is when a class has fewer than two clips.
    """
    from scipy.stats import binomtest

    chance = metrics.chance(labels)
    found = []
    for name, values in clues.items():
        values = np.asarray(values, float).reshape(len(labels), -1)
        answers = None if np.all(values == values[0]) else _guess(values, labels, groups, seed)
        entry = {"clue": name, "accuracy": None, "chance": chance, "p": 1.0, "leak": False}
        if answers is not None:
            known = entry["accuracy"] = metrics.accuracy(labels, answers, groups)
            trials = round(known["worth"])
            right = round(known["value"] * trials)
            entry["p"] = float(binomtest(right, trials, chance, "greater").pvalue)
            entry["leak"] = entry["p"] < ALPHA
        found.append(entry)
    return found


def _guess(values, labels, groups, seed):
    """Return cross-validated answers, None when there are too few clips for that."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    fewest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    if fewest < 2:
        return None
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    forest = RandomForestClassifier(50, min_samples_leaf=3, random_state=seed)
    return cross_val_predict(forest, values, labels, groups=groups, cv=folds)
