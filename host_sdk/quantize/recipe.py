"""Everything that decides how a trained network is quantized: `Recipe`."""

from dataclasses import dataclass

from host_sdk.errors import MotionletError
from host_sdk.train.run_folder import CALIBRATION_CLIPS


@dataclass(frozen=True)
class Recipe:
    """See the module; `pack.pipeline.quantize_run` does what it says."""

    method: str = "mse"  # how the ranges of activations are chosen
    clips: int = CALIBRATION_CLIPS  # of the training, to calibrate with
    equalize: bool | None = None  # None: what brings the answers nearer to the float ones
    correct_bias: bool | None = None
    int4: tuple = ()  # names of ops, or "all"
    bytes: int | None = None  # most that the .mlet file may have; chooses int4
    weights_share: float | None = None  # the same for the weights' bytes, of those with 8 bits
    qat_epochs: int = 0  # passes over the training clips with the rounding in place
    seed: int = 0  # of these

    def __post_init__(self):
        if self.bytes is not None and self.weights_share is not None:
            raise MotionletError("a budget is one of the file's bytes or one of the weights'")
        if self.int4 and (self.bytes is not None or self.weights_share is not None):
            raise MotionletError("a budget chooses the layers of 4 bits; do not name them as well")
        if self.weights_share is not None and not 0 < self.weights_share <= 1:
            raise MotionletError(f"a budget is above 0% and at most 100%, not {self.weights_share}")
        if self.bytes is not None and self.bytes < 1:
            raise MotionletError(f"a budget is 1 byte at least, not {self.bytes}")
        for name, least in (("clips", 1), ("qat_epochs", 0)):
            if getattr(self, name) < least:
                raise MotionletError(f"{name} must be at least {least}, not {getattr(self, name)}")
