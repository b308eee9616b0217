"""Options of a folder of clips. The command line shows them, so nothing heavy is imported here."""

import dataclasses
from dataclasses import dataclass, field

from host_sdk.errors import MotionletError


def _option(default, text, metavar=None):
    return field(default=default, metadata={"help": text, "metavar": metavar})


FLOATS = ("celsius", "kelvin", "fahrenheit", "unit", "0-255")
INTS = ("celsius", "centikelvin", "pixels")


@dataclass(frozen=True)
class FolderOptions:
    """How clips become samples. None: chosen from the data, but `stride`, from the window."""

    size: str | None = _option(
        None, "Frames' size; default: the clips' own if small and all the same, else 32x32.", "WxH"
    )
    color: str | None = _option(None, "`gray` or `rgb`; default: gray.")
    crop: bool = _option(False, "Cut off what does not fit the proportions; else frames stretch.")
    fps: float | None = _option(None, "Frames a second; default: the clips', at most 10.")
    array_fps: float | None = _option(
        None, "Rate of arrays that clips.json does not tell; default: as --fps."
    )
    floats: str | None = _option(
        None,
        f"What floats in arrays are: {', '.join(f'`{name}`' for name in FLOATS[:-1])} (pictures of "
        "0 to 1) or `0-255`; default: degrees C where that is plain.",
    )
    ints: str | None = _option(
        None,
        "What integers of 16 bits are: hundredths of a degree `celsius`, `centikelvin`, or "
        "`pixels` of 0 to 65535; default: int16 is celsius where that is plain.",
    )
    stride: int | None = _option(
        None, "Frames between windows; default: half a window to train on, else a whole one."
    )
    normalization: str | None = _option(
        None,
        "`pixels`, `window:LOW,HIGH`, `background:SPAN[,RATE]` or `difference:SPAN`; "
        "default: pixels; background:2 for thermal clips.",
    )
    augment: str = _option(
        "default",
        "Changes to training clips: `default`, `none`, or NAME=VALUE,... of shift, zoom, "
        "brightness, contrast, jitter, flip.",
    )
    split_seed: int = _option(0, "Decides who is in which split.")

    def __post_init__(self):
        if self.size is not None:
            self.shape()
        if self.color not in (None, "gray", "rgb"):
            raise MotionletError(f"color must be gray or rgb, not {self.color!r}")
        for name, known in (("floats", FLOATS), ("ints", INTS)):
            if getattr(self, name) not in (None, *known):
                raise MotionletError(
                    f"{name} must be {', '.join(known)}, not {getattr(self, name)!r}"
                )
        for name in ("fps", "array_fps"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and 0 < value <= 1000):
                raise MotionletError(f"{name} must be above 0 and at most 1000, not {value!r}")
        if self.stride is not None and not (isinstance(self.stride, int) and self.stride > 0):
            raise MotionletError(f"stride must be an integer of at least 1, not {self.stride!r}")
        if not (isinstance(self.split_seed, int) and 0 <= self.split_seed < 2**31):
            raise MotionletError(f"split_seed must be 0 to 2^31 - 1, not {self.split_seed!r}")
        from host_sdk.data.augment import Augmentation

        Augmentation.parse(self.augment)

    @classmethod
    def from_dict(cls, values):
        """Make options of a plain dict, such as `dataclasses.asdict` gives."""
        names = [f.name for f in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise MotionletError(f"no data option {unknown[0]!r}; there is: {', '.join(names)}")
        return cls(**values)

    def shape(self):
        """Return (height, width, channels); `size` must be known."""
        width, _, height = self.size.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            raise MotionletError(f"size must be WIDTHxHEIGHT such as 32x24, not {self.size!r}")
        return int(height), int(width), 3 if self.color == "rgb" else 1
