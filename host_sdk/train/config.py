"""What decides the outcome of a training: `TrainConfig`."""

from dataclasses import dataclass, field
from pathlib import Path

from host_sdk.data import TASKS
from host_sdk.errors import MotionletError

_COUNTS = ("clips", "validation_clips", "test_clips")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the outcome of a training. It goes to JSON and back.

    Folders, of clips and of a teacher, become absolute paths.
    """

    task: str = "moving_digits"  # one of host_sdk.data.TASKS, or a folder of clips
    data: dict = field(default_factory=dict)  # options of a folder's task: see host_sdk.data.folder
    network: str = "separable3d"
    options: dict = field(default_factory=dict)  # of the network: see its OPTIONS
    frames: int = 16  # in a clip
    clips: int | None = 5400  # to train on; None: all there are, as for the next two
    validation_clips: int | None = 900
    test_clips: int | None = 1800
    epochs: int = 8
    batch: int = 32  # clips
    learning_rate: float = 6e-3  # at the start; falls to 0 along a cosine
    warm_up: int | None = None  # frames at a clip's begin whose answers do not count; None: 3/8
    seed: int = 0  # of the clips drawn, the first weights and the order
    teacher: str | None = None  # run folder of a network to learn from
    teacher_weight: float = 0.5  # of its answers in the loss; the labels have the rest
    temperature: float = 4.0  # divides both networks' logits where they are compared

    def __post_init__(self):
        for name in ("task", "teacher"):
            folder = getattr(self, name)
            if folder not in (None, *TASKS) and Path(folder).is_dir():
                object.__setattr__(self, name, str(Path(folder).resolve()))
        if self.warm_up is None and isinstance(self.frames, int):
            object.__setattr__(self, "warm_up", self.frames * 3 // 8)
        for name in ("frames", *_COUNTS, "epochs", "batch"):
            value, least = getattr(self, name), 2 if name == "frames" else 1
            if name in _COUNTS and value is None:
                continue
            if not isinstance(value, int) or value < least:
                raise MotionletError(
                    f"{name} must be an integer of at least {least}, not {value!r}"
                )
        if not 0 <= self.warm_up < self.frames:
            raise MotionletError(
                f"warm_up must be 0 to frames - 1 = {self.frames - 1}, not {self.warm_up}"
            )
        if not 0 < self.learning_rate < 1:
            raise MotionletError(
                f"learning_rate must be above 0 and below 1, not {self.learning_rate}"
            )
        if not 0 <= self.seed < 2**31:
            raise MotionletError(f"seed must be 0 to 2^31 - 1, not {self.seed}")
        if not 0 <= self.teacher_weight <= 1:
            raise MotionletError(f"teacher_weight must be 0 to 1, not {self.teacher_weight}")
        if not 0 < self.temperature <= 100:
            raise MotionletError(f"temperature must be above 0, 100 at most: {self.temperature}")
