"""Which clips are for training, for validation and for testing."""

import csv
from pathlib import Path

import numpy as np

from host_sdk.errors import MotionletError

SPLITS = ("train", "validation", "test")
SHARES = (0.70, 0.15, 0.15)
FILE_NAME = "splits.csv"


def check_split(split):
    """Raise MotionletError unless `split` is one."""
    if split not in SPLITS:
        raise MotionletError(f"no split named {split!r}; there is: {', '.join(SPLITS)}")


def read_splits(path, names):
    """Read a table of clips; return (splits, groups), each {name: value}, {} without its column.

    The file is CSV with a line of headings: `clip` (relative to the file's folder, with /), and
    `split` (train, validation or test), or `group` (who or what was filmed, say), or both.
    Every clip of `names` must be listed once; other clips may be.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            headings = [(heading or "").strip().lower() for heading in table.fieldnames or ()]
            table.fieldnames = headings
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV file in UTF-8"
        raise MotionletError(f"{path}: {reason}") from None
    columns = [name for name in ("split", "group") if name in headings]
    if "clip" not in headings or not columns:
        raise MotionletError(
            f"{path}: the headings are {', '.join(headings) or 'missing'}; want clip, and split "
            "or group or both"
        )
    values = {"split": {}, "group": {}}
    seen = {}
    for line, row in rows:
        row = {heading: (row[heading] or "").strip() for heading in ("clip", *columns)}
        name = row["clip"].replace("\\", "/")
        if name in seen:
            raise MotionletError(f"{path}: line {line}: {name} is listed in line {seen[name]} too")
        seen[name] = line
        for column in columns:
            if not row[column]:
                raise MotionletError(f"{path}: line {line}: no {column} for {name!r}")
            values[column][name] = row[column]
        if "split" in columns and row["split"] not in SPLITS:
            raise MotionletError(
                f"{path}: line {line}: split is {row['split']!r}, must be {', '.join(SPLITS)}"
            )
    missing = [name for name in names if name not in seen]
    if missing:
        raise MotionletError(
            f"{path}: {len(missing)} of {len(names)} clips are not listed; the first: {missing[0]}"
        )
    wanted = set(names)
    return tuple(
        {name: value for name, value in values[column].items() if name in wanted}
        for column in ("split", "group")
    )


def assign(labels, units, seed=0):
    """Share clips out, 70 % for training, 15 % for validation and 15 % for testing.

    `labels` [N] are the clips' classes; `units` [N] say which clips must stay together (of one
    person, say). Every class is shared out in these proportions as nearly as its units allow, and
    is in every split if it has three units. Returns [N] of names of splits.
    """
    labels = np.asarray(labels)
    _, unit_of = np.unique(np.asarray(units), return_inverse=True)
    rng = np.random.default_rng(seed)
    classes = {u: np.unique(labels[unit_of == u]) for u in range(unit_of.max(initial=-1) + 1)}
    wanted = {}  # of each class: how many units each split still lacks
    for label in np.unique(labels):
        count = sum(label in found for found in classes.values())
        few = max(1, round(SHARES[1] * count))
        wanted[label] = np.array([count - 2 * few, few, few] if count > 2 else [1, 0, count - 1])
    total = {label: counts.sum() for label, counts in wanted.items()}
    # Units of many classes first: those of one class can make up for what they leave uneven.
    order = sorted(rng.permutation(len(classes)), key=lambda u: -len(classes[u]))
    split_of = np.empty(len(classes), int)
    for unit in order:
        lack = sum(wanted[label] / max(1, total[label]) for label in classes[unit])
        split_of[unit] = np.argmax(lack)
        for label in classes[unit]:
            wanted[label][split_of[unit]] -= 1
    return [SPLITS[split_of[u]] for u in unit_of]
