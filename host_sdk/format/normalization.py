"""Input normalization: from samples to the int8 values of a network's input, frame by frame.

Samples are uint8 (pixels) or int16 (temperatures, in hundredths of a degree). Training and device
compute the same integers (SPEC.md, section 3), and nothing looks ahead: what frame t becomes
depends on frames 0 ... t only. `Normalization.run` is golden.
"""

import math
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.mlet import LIMITS, NORMALIZATION_KINDS

SAMPLE_TYPES = ("uint8", "int16")
HUNDREDTHS = 100  # samples in a degree


@dataclass(frozen=True)
class Normalization:
    """How a sample v becomes q. Make one with `pixels`, `window`, `background` or `difference`.

        window       u = v - offset
        background   mean = floor((B + floor(2^rate / 2)) / 2^rate), u = v - mean, then B <- B + u
        q = clamp(zero_point + floor((u * multiplier + 2^(shift - 1)) / 2^shift), -128, 127)

    B belongs to one element of the picture; it starts as 2^rate * v of the first frame, so the
    first picture is all zero. With rate 0 it holds the last frame.
    """

    kind: str
    sample_type: str  # "uint8" or "int16"
    multiplier: int
    shift: int
    zero_point: int  # of the network's input tensor
    scale: float = field(compare=False)  # of that tensor, which in a graph has the last word
    offset: int = 0  # window
    rate: int = 0  # background: it moves by 1 / 2^rate of the difference a frame
    samples_per_unit: int = 1  # how many samples make 1 in the user's unit (1 degree C)

    def __post_init__(self):
        sample_range(self.sample_type)
        if self.kind not in NORMALIZATION_KINDS:
            known = ", ".join(NORMALIZATION_KINDS)
            raise MotionletError(f"normalization {self.kind!r}; there is: {known}")
        for name, (least, most) in {**field_ranges(self.kind), "zero_point": (-128, 127)}.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise MotionletError(
                    f"normalization by {self.kind} of {self.sample_type}: {name} is {value!r}, "
                    f"must be an integer from {least} to {most}"
                )
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise MotionletError(f"normalization: scale is {self.scale}, must be above 0")

    @classmethod
    def pixels(cls):
        """8-bit pixels as they are: q = v - 128, the network sees v / 255."""
        return cls.window(0, 255)

    @classmethod
    def window(cls, low, high, sample_type="uint8", samples_per_unit=None):
        """A fixed range: the network sees 0 at `low` and 1 at `high`, and nothing beyond.

        `low` and `high` are in the user's unit: grey levels for uint8, degrees C for int16 of
        hundredths, else what `samples_per_unit` makes of a sample.
        """
        unit = _samples_per_unit(sample_type, samples_per_unit)
        first, last = _samples(low, unit, sample_type), _samples(high, unit, sample_type)
        if last <= first:
            raise MotionletError(f"a window from {low} to {high} is empty: high must be above low")
        multiplier, shift = _small_multiplier(255 / (last - first))
        return cls(
            *("window", sample_type, multiplier, shift, -128, _float32(1 / 255)),
            offset=first,
            samples_per_unit=unit,
        )

    @classmethod
    def background(cls, span, rate=6, sample_type="uint8", samples_per_unit=None):
        """What differs from the running mean of each element, whatever its level.

        The network sees -1 ... 1 for differences of -`span` ... `span` (in the user's unit). The
        mean moves by 1 / 2^rate of the difference each frame (rate 1 to 15): what stands still
        has faded to a third after 2^rate frames.
        """
        if not (isinstance(rate, int) and 1 <= rate <= LIMITS["normalization_rate_max"]):
            most = LIMITS["normalization_rate_max"]
            raise MotionletError(f"rate is {rate!r}, must be an integer from 1 to {most}")
        return cls._centred(span, rate, sample_type, samples_per_unit)

    @classmethod
    def difference(cls, span, sample_type="uint8", samples_per_unit=None):
        """What differs from the frame before; the network sees -1 ... 1 for -`span` ... `span`."""
        return cls._centred(span, 0, sample_type, samples_per_unit)

    @classmethod
    def _centred(cls, span, rate, sample_type, samples_per_unit):
        unit = _samples_per_unit(sample_type, samples_per_unit)
        low, high = sample_range(sample_type)
        if not 1 <= span * unit <= high - low:
            raise MotionletError(f"span is {span}, must be {1 / unit:g} to {(high - low) / unit:g}")
        multiplier, shift = _small_multiplier(127 / (span * unit))
        return cls(
            *("background", sample_type, multiplier, shift, 0, _float32(1 / 127)),
            rate=rate,
            samples_per_unit=unit,
        )

    @classmethod
    def from_dict(cls, values):
        """Undo `to_dict`."""
        try:
            return cls(**values)
        except TypeError:
            names = ", ".join(f.name for f in fields(cls))
            raise MotionletError(f"a normalization has {names}, not {values!r}") from None

    def to_dict(self):
        """Return a plain dict for JSON."""
        return asdict(self)

    @property
    def is_pixels(self):
        """Whether it is q = v - 128 of an 8-bit pixel, which files need not mention."""
        return self == PIXELS

    def state_bytes(self, elements):
        """Return the bytes that a stream keeps for an input of so many elements: int32 each."""
        return 4 * elements if self.kind == "background" else 0

    def run(self, samples):
        """Normalize clips from a fresh start: [..., T, H, W, C] of samples; int8 of that shape."""
        samples = np.asarray(samples)
        if samples.ndim < 4:
            raise MotionletError(f"want samples [..., T, H, W, C], not {samples.shape}")
        out, state = np.empty(samples.shape, np.int8), None
        for t in range(samples.shape[-4]):
            out[..., t, :, :, :], state = self.step(samples[..., t, :, :, :], state)
        return out

    def step(self, samples, state=None):
        """Normalize one frame, [..., H, W, C] of samples.

        `state` is what the step before returned, None for the first frame of a stream. Returns
        (int8 of that shape, state).
        """
        samples = np.asarray(samples)
        if samples.dtype != self.sample_type:
            raise MotionletError(f"want samples of {self.sample_type}, not {samples.dtype}")
        v = samples.astype(np.int32)
        if self.kind == "window":
            u = v - self.offset
        else:
            total = v << self.rate if state is None else state
            u = v - self._mean(total)
            state = total + u
        q = (u * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.clip(q + self.zero_point, -128, 127).astype(np.int8), state

    def _mean(self, total):
        """Return the mean that a state of `step` stands for."""
        return (total + (1 << self.rate >> 1)) >> self.rate

    def backgrounds(self, samples):
        """Return the running mean before each frame of a film [T, H, W, C], as samples.

        Before the first it is that frame. A stream that is shown one of these frames knows of the
        background what a stream knows that saw all of the film before.
        """
        out, state = np.array(samples), None
        for t, frame in enumerate(samples):
            if t:
                out[t] = self._mean(state)
            state = self.step(frame, state)[1]
        return out

    def real(self, q):
        """Return what int8 values of the input stand for, float32: what a float network sees."""
        return (np.asarray(q, np.float32) - self.zero_point) * np.float32(self.scale)

    def __str__(self):
        unit, factor = self.samples_per_unit, self.multiplier / 2**self.shift
        if self.is_pixels:
            return "pixels"
        if self.kind == "window":
            low, high = self.offset / unit, (self.offset + 255 / factor) / unit
            return f"window {low:.4g} to {high:.4g}"
        span = f"{127 / factor / unit:.4g}"
        return f"background, span {span}, rate {self.rate}" if self.rate else f"difference, {span}"


def parse(text, sample_type="uint8"):
    """Read `pixels`, `window:LOW,HIGH`, `background:SPAN`, `background:SPAN,RATE` or
    `difference:SPAN`, as command lines and options have it; numbers are in the user's unit.
    """
    kind, _, numbers = text.partition(":")
    try:
        values = [float(number) for number in numbers.split(",")] if numbers else []
    except ValueError:
        values = None
    counts = {"pixels": (0,), "window": (2,), "background": (1, 2), "difference": (1,)}
    if values is None or len(values) not in counts.get(kind, ()):
        raise MotionletError(
            f"normalization {text!r}: want pixels, window:LOW,HIGH, background:SPAN[,RATE] or "
            "difference:SPAN"
        )
    if kind == "pixels" and sample_type != "uint8":
        raise MotionletError(f"normalization pixels is for uint8 samples, not {sample_type}")
    if kind == "pixels":
        return PIXELS
    if kind == "background" and len(values) == 2:
        rate = values.pop()
        values.append(int(rate) if rate.is_integer() else rate)
    return getattr(Normalization, kind)(*values, sample_type=sample_type)


def field_ranges(kind):
    """Return {name: (least, most)} of the integers of a normalization, as a file has them."""
    window = kind == "window"
    return {
        "rate": (0, 0 if window else LIMITS["normalization_rate_max"]),
        "shift": (1, LIMITS["normalization_shift_max"]),
        "samples_per_unit": (1, 255),
        "offset": (-(2**15), 2**15 - 1) if window else (0, 0),
        "multiplier": (1, LIMITS["normalization_multiplier_max"]),
    }


def sample_range(sample_type):
    """Return (lowest, highest) of a sample."""
    if sample_type not in SAMPLE_TYPES:
        known = " and ".join(SAMPLE_TYPES)
        raise MotionletError(f"samples of {sample_type!r}; there are {known}")
    info = np.iinfo(sample_type)
    return int(info.min), int(info.max)


def to_samples(values, samples_per_unit=HUNDREDTHS):
    """Return real values (degrees C) as int16 samples, floor(x * samples_per_unit + 1/2).

    The result is exact for float32, as on the device (SPEC.md, section 3); what is beyond int16
    becomes its end. In frames [..., H, W, 1], few values may be missing (NaN): they are bridged.
    Raises MotionletError where they cannot be.
    """
    values = np.asarray(values, np.float32)
    missing = np.isnan(values)
    known = np.where(missing, 0, values).astype(np.float64)
    samples = np.clip(np.floor(known * samples_per_unit + 0.5), *sample_range("int16"))
    samples = samples.astype(np.int16)
    return bridge(samples, missing) if missing.any() else samples


def bridge(samples, missing):
    """Return int16 samples [..., H, W, 1] with means of neighbours where `missing` is true."""
    place = tuple(int(i) for i in np.argwhere(missing)[0])
    most = LIMITS["max_missing"]
    if samples.ndim < 3 or missing.sum(axis=(-3, -2, -1)).max() > most:
        raise MotionletError(
            f"too many values are not numbers (NaN), such as that at {place}: in a frame up to "
            f"{most} can be bridged; is the sensor read whole?"
        )
    total, count = np.zeros(samples.shape, np.int32), np.zeros(samples.shape, np.int32)
    there = ~missing
    for axis in (-3, -2):
        first, last = (slice(None, -1), slice(1, None))
        for to, source in ((first, last), (last, first)):
            to, source = ((..., part, *[slice(None)] * (-1 - axis)) for part in (to, source))
            total[to] += np.where(there, samples, 0)[source]
            count[to] += there[source]
    lonely = missing & (count == 0)
    if lonely.any():
        place = tuple(int(i) for i in np.argwhere(lonely)[0])
        raise MotionletError(f"the value at {place} is not a number (NaN), nor are those around it")
    return np.where(missing, (total + count // 2) // np.maximum(count, 1), samples).astype(np.int16)


def _samples_per_unit(sample_type, given):
    if given is not None:
        return given
    return HUNDREDTHS if sample_type == "int16" else 1


def _samples(value, unit, sample_type):
    """Return a level in the user's unit as a sample."""
    low, high = sample_range(sample_type)
    if not (math.isfinite(value) and low <= round(value * unit) <= high):
        raise MotionletError(
            f"normalization: {value:g} is not in {low / unit:g} to {high / unit:g}"
        )
    return round(value * unit)


def _small_multiplier(real):
    """Return (m, n) with m / 2^n next to `real`, m as large as its limit allows."""
    for n in range(LIMITS["normalization_shift_max"], 0, -1):
        m = round(math.ldexp(real, n))
        if m <= LIMITS["normalization_multiplier_max"]:
            return m, n
    raise AssertionError(f"{real} is above 255")


def _float32(value):
    return float(np.float32(value))  # the file holds scales as float32


PIXELS = Normalization.pixels()
