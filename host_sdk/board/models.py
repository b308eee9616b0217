"""The models on a device: what lies in its ROMFS and in its file system."""

import base64
from dataclasses import dataclass

from host_sdk.board.remote import Remote
from host_sdk.format.mlet import HEADER, MAGIC, TARGETS, codec

LABEL_BYTES = 1024  # of a file's strings: more are not fetched for a list
MOST_FILES = 256

# Every file whose name or first bytes are a model's: (path, bytes, header, labels) in base64.
LIST = """
import os
from binascii import b2a_base64
from struct import unpack
def _mlet_piece(file, at, size):
    file.seek(at)
    return b2a_base64(file.read(size)).decode()
def _mlet_models(folder, depth=0):
    for name in os.listdir(folder or "/"):
        path = folder + "/" + name
        try:
            mode = os.stat(path)[0]
            if mode & 0x4000:
                if depth < 8:
                    yield from _mlet_models(path, depth + 1)
                continue
            with open(path, "rb") as file:
                header = file.read({header})
                if len(header) < {header} or header[:4] != {magic!r}:
                    if not name.endswith(".mlet"):
                        continue
                    header, labels = b"", ""
                else:
                    at, size = unpack("<II", header[{strings}:{strings} + 8])
                    labels = _mlet_piece(file, at, min(size, {labels}))
                    names = unpack("<H", header[{count}:{count} + 2])[0]
                    where = unpack("<I", header[{where}:{where} + 4])[0]
                    labels = (labels, _mlet_piece(file, where, 2 * min(names, 64)))
                yield path, file.seek(0, 2), b2a_base64(header).decode(), labels
        except OSError:
            pass
_mlet_found = []
for _mlet_one in _mlet_models(""):
    if len(_mlet_found) < {most}:
        _mlet_found.append(_mlet_one)
print(json.dumps(_mlet_found))
"""


@dataclass(frozen=True)
class ModelThere:
    """A model on a device. `target` is "" for a file that is no whole model."""

    path: str
    where: str  # "rom" or "files"
    bytes: int
    target: str
    format_version: int
    labels: list  # as far as they are short


def list_models(device):
    """Return the models on a device, as a list of `ModelThere`, by path."""
    offsets, at = {}, 0
    for name, code, _ in HEADER:
        offsets[name] = at
        at += codec([(name, code, "")]).size
    code = LIST.format(
        header=at,
        magic=MAGIC,
        strings=offsets["strings_offset"],
        count=offsets["label_count"],
        where=offsets["labels_offset"],
        labels=LABEL_BYTES,
        most=MOST_FILES,
    )
    found = Remote(device).json(code, [(str, int, str, None)])
    return sorted((_describe(device, *each) for each in found), key=lambda model: model.path)


def _describe(device, path, size, header, labels):
    where = "rom" if path.startswith("/rom/") else "files"
    fields = device.parse(header, base64.b64decode)
    if len(fields) != codec(HEADER).size:
        return ModelThere(path, where, size, "", 0, [])
    values = codec(HEADER).unpack(fields)
    fields = dict(zip((name for name, _, _ in HEADER), values, strict=True))
    if fields["total_bytes"] != size:
        return ModelThere(path, where, size, "", 0, [])
    targets = {code: name for name, code in TARGETS.items()}
    target = targets.get(fields["target"], f"target {fields['target']}")
    return ModelThere(path, where, size, target, fields["format_version"], _labels(device, labels))


def _labels(device, pieces):
    strings, places = (device.parse(piece, base64.b64decode) for piece in pieces)
    starts = [int.from_bytes(places[i : i + 2], "little") for i in range(0, len(places) - 1, 2)]
    if any(strings.find(0, start) < 0 for start in starts):
        return []  # they go on beyond what was fetched
    return [strings[start : strings.index(0, start)].decode(errors="replace") for start in starts]
