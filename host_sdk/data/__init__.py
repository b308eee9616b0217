"""Tasks to train on. A task is a module, or an object, that offers

- `LABELS`: names of the classes, `FRAME_SHAPE`: (height, width, channels) of a frame,
  `FRAMES_PER_SECOND` and `PIXEL_FORMAT` (see `mlet_format.PIXEL_FORMATS`);
- `NORMALIZATION`: the `Normalization` of its samples;
- `make_clips(count, frames, split, seed) -> (samples, labels)`: [N, T, H, W, C], uint8 (pictures)
  or int16 (temperatures in hundredths of a degree C), and int64 [N]; `split` is train, validation
  or test. `count` None is all there are, where they are not made up;
- `make_grouped_clips`, with the same arguments, which returns groups too, int64 [N]: clips of one
  group have something in common besides their label. Without it every clip is of its own group.

It is one of `TASKS`, or a folder of clips (`folder.FolderTask`), which has `options` too.
"""

import hashlib
import importlib
from pathlib import Path

from host_sdk.errors import MotionletError

TASKS = ("moving_digits", "playback", "thermal_walk")


def load_task(name, options=None):
    """Return the task `name`: one of `TASKS`, or else the path of a folder of clips.

    `options`, for a folder, is a `options.FolderOptions` or a dict of some of its fields.
    """
    if name in TASKS:
        if options:
            raise MotionletError(f"the task {name} takes no data options: {options!r}")
        return importlib.import_module(f"{__name__}.{name}")
    if not Path(name).is_dir():
        raise MotionletError(
            f"no task named {str(name)!r} and no folder {Path(name).absolute()}; "
            f"there is: {', '.join(TASKS)}"
        )
    from host_sdk.data.folder import FolderTask

    return FolderTask(name, options)


def fingerprint(clips, labels):
    """Return the SHA-256 of clips and labels, as hex: equal if and only if the data are."""
    digest = hashlib.sha256(repr((clips.shape, labels.shape)).encode())
    digest.update(clips.tobytes())
    digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()
