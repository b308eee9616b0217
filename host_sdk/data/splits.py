"""Which clips are for training, for validation and for testing."""

import codecs
import collections
import contextlib
import csv
import io
import posixpath
import re
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.files import read

SPLITS = ("train", "validation", "test")
SHARES = (0.70, 0.15, 0.15)
FILE_NAME = "splits.csv"
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def check_split(split):
    """Raise MotionletError unless `split` is one."""
    if split not in SPLITS:
        raise MotionletError(f"no split named {split!r}; there is: {', '.join(SPLITS)}")


def alike(name):
    """Return what two names have in common that look alike, as a text to compare.

    They differ by upper and lower case, by how accents are written, or by blanks at the ends of
    a folder's or file's name.
    """
    parts = unicodedata.normalize("NFC", name).split("/")
    return "/".join(unicodedata.normalize("NFC", part.strip().casefold()) for part in parts)


def look_alikes(names):
    """Return [[name]] of those that look alike."""
    found = collections.defaultdict(list)
    for name in names:
        found[alike(name)].append(name)
    return [same for same in found.values() if len(same) > 1]


def alike_warning(names):
    """Say of classes that they look alike."""
    shown = " and ".join(ascii(name) for name in names)
    return (
        f"classes whose names look alike: {shown}; if they are one, put their clips in one folder"
    )


class Names:
    """The names of clips in a folder, to be found by what people write into tables."""

    def __init__(self, folder, names):
        self.folder, self.names = Path(folder), set(names)
        self.known = collections.defaultdict(list)
        for name in sorted(self.names):
            self.known[alike(name)].append(name)

    def find(self, written):
        """Return the clip that is meant; of none, what is written, made plain.

        `written` is a path relative to the folder, with / or \\, or an absolute one; names that
        look alike will do where there is one. Raises MotionletError, without a place, otherwise.
        """
        if written in self.names:
            return written
        path = written.replace("\\", "/")
        absolute = path.startswith("/") or PureWindowsPath(written).drive
        for folder in {self.folder.absolute(), self.folder.resolve()} if absolute else ():
            with contextlib.suppress(ValueError):
                path = PurePosixPath(path).relative_to(folder.as_posix()).as_posix()
                absolute = False
                break
        path = posixpath.normpath(path)
        if absolute or path.partition("/")[0] == "..":
            raise MotionletError(
                f"{written} is not in {self.folder}; write names as they are in it: CLASS/CLIP.mp4"
            )
        if path in self.names:
            return path
        found = self.known.get(alike(path), [path])
        if len(found) > 1:
            raise MotionletError(f"{written} may be {' or '.join(found)}; write it as it is there")
        return found[0]


def read_splits(path, names):
    """Read a table of clips; return (splits, groups), each {name: value}, {} without its column.

    The file is CSV with a line of headings: `clip` (relative to the file's folder, with /), and
    `split` (train, validation or test), or `group` (who or what was filmed, say), or both.
    Every clip of `names` must be listed once; other clips may be. Names that look alike are the
    same here: of clips, where there is only one, and of groups, which have the first one's.
    """
    path = Path(path)
    rows = _read_table(path)
    headings = [heading.lower() for heading in rows[0][1]] if rows else []
    columns = [name for name in ("split", "group") if name in headings]
    if "clip" not in headings or not columns:
        raise MotionletError(
            f"{path}: the headings are {', '.join(headings) or 'missing'}; want clip, and split "
            "or group or both"
        )
    clips = Names(path.parent, names)
    values = {"split": {}, "group": {}}
    seen, groups = {}, {}
    for line, cells in rows[1:]:
        if any(cells[len(headings) :]):
            raise MotionletError(
                f"{path}: line {line} has more columns than headings; names with the separator in "
                'them want quotes: "a,b.mp4"'
            )
        row = dict(zip(headings, [*cells, *[""] * len(headings)], strict=False))
        try:
            name = clips.find(row["clip"])
        except MotionletError as error:
            raise MotionletError(f"{path}: line {line}: {error}") from None
        if name in seen:
            raise MotionletError(f"{path}: line {line}: {name} is listed in line {seen[name]} too")
        seen[name] = line
        for column in columns:
            if not row[column]:
                raise MotionletError(f"{path}: line {line}: no {column} for {name!r}")
        if "split" in columns:
            values["split"][name] = row["split"].casefold()
            if row["split"].casefold() not in SPLITS:
                raise MotionletError(
                    f"{path}: line {line}: split is {row['split']!r}, must be {', '.join(SPLITS)}"
                )
        if "group" in columns:
            values["group"][name] = groups.setdefault(alike(row["group"]), row["group"])
    missing = [name for name in names if name not in seen]
    if missing:
        strange = [name for name in seen if name not in clips.names]
        hint = f"; line {seen[strange[0]]} lists {strange[0]}, which is no clip" if strange else ""
        raise MotionletError(
            f"{path}: {len(missing)} of {len(names)} clips are not listed; the first: "
            f"{missing[0]}{hint}"
        )
    return tuple(
        {name: value for name, value in values[column].items() if name in clips.names}
        for column in ("split", "group")
    )


def _read_table(path):
    """Return [(line, [cell])] of a table, headings first, without lines that are empty.

    It may be what spreadsheets write: with commas, semicolons or tabs, in UTF-8 or UTF-16.
    """
    data = read(path)
    try:
        text = data.decode("utf-16" if data[:2] in UTF_16_MARKS else "utf-8-sig")
        if "\0" in text:
            raise ValueError("in UTF-16 without a mark, or no text")
        first = next((line for line in text.splitlines() if line.strip()), "")
        stated = re.fullmatch("(?i)sep=(.)", first)  # a line that spreadsheets put before
        separator = stated[1] if stated else max(",;\t", key=first.count)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [(table.line_num, [cell.strip() for cell in cells]) for cells in table]
    except (ValueError, csv.Error):
        raise MotionletError(
            f"{path}: not a CSV file in UTF-8; save it as that, in a spreadsheet as 'CSV UTF-8'"
        ) from None
    rows = [(line, cells) for line, cells in rows if any(cells)]
    return rows[1:] if stated else rows


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
