"""Push frames as they come and say when something happens.

watch = Watch(model.stream(96, 96, motionlet.RGB565_BE))
watch.run(camera.capture)
"""

from collections.abc import Callable
from typing import Any

from _motionlet import Buffer, Stream

BACKGROUND_NAMES: tuple[str, ...]
"""Labels, in lower case, that mean "nothing to report"."""

class Watch:
    """A stream, and the rule that `host_sdk evaluate` counts false alarms by.

    The mean probability of a class over the last `smooth` frames has been `threshold` or more for
    `hold` frames in a row: that is an alarm, and there is another for that class once the mean was
    below. Probabilities are the softmax of the scores, in integers of 1/16384, rounded down.
    """

    stream: Stream
    smooth: int
    hold: int
    """The rule, as given."""
    labels: tuple[str, ...]
    """The model's."""
    quiet: tuple[bool, ...]
    """Which of them give no alarm."""
    feed: Callable[[], Any] | None
    """Of a watchdog, as given."""
    frames: int
    """Frames that the model has seen. After 2**30 - 1, years, it begins at 0 again."""
    skipped: int
    """Frames that were None, of a wrong size or type, or whose reading failed."""
    late: int
    """Frames that were asked for more than a period after their time. They count all the same."""

    def __init__(
        self,
        stream: Stream,
        smooth: int = 4,
        threshold: float = 0.8,
        hold: int = 3,
        quiet: tuple[str, ...] = ...,
        feed: Callable[[], Any] | None = None,
    ) -> None:
        """quiet: labels, in lower case, that give no alarm; by default BACKGROUND_NAMES.
        feed: of a watchdog, such as machine.WDT(timeout=8000).feed. `run` calls it before each
            frame and once a second while it waits; a push of a large model calls it, too.

        Raises ValueError if the rule or the number of the model's labels is out of range, or if the
        model has several inputs, or one that is not of every frame.
        """
    def push(self, frame: Buffer | None, on_alarm: Callable[[str, int], Any] | None = None) -> bool:
        """Push one frame; say what it decides. A frame that cannot be used is skipped.

        on_alarm: is called with a label and the number of the frame, from 1; by default they are
            printed.

        Returns whether the frame was used. The reason why not is printed once, until another one
        comes. Takes no memory, but for what a skipped frame or an alarm prints.
        """
    def run(
        self,
        capture: Callable[[], Buffer | None],
        on_alarm: Callable[[str, int], Any] | None = None,
        frames_per_second: float | None = None,
    ) -> None:
        """Push what `capture` returns, again and again, until it raises StopIteration.

        capture: a frame, or None. An OSError of it, as I2C raises, is a skipped frame.
        frames_per_second: wait before each capture to keep this rate; by default that of `pace`.
        """
    def pace(self, frames_per_second: float) -> None:
        """Choose the rate that `run` and `wait_ms` keep, which at first is the model's.

        0: as fast as frames come, for a camera that sets the rate itself.
        """
    def wait_ms(self) -> int:
        """The milliseconds until the next frame is due, for a loop of one's own, once a frame:

        await asyncio.sleep_ms(watch.wait_ms())
        watch.push(camera.capture())

        0 when it is late, or when nothing is paced. The first frame is due at once.
        """
    def reset(self) -> None:
        """Forget all frames, as if the video began anew."""
