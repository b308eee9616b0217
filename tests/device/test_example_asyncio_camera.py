# The camera among other tasks: each has its turn between frames.
import sys

sys.path.append(VECTORS)
from testlib import Skip, need_clock

need_clock()
try:
    import asyncio
except ImportError:
    raise Skip("no asyncio") from None
import time

from examplelib import Names
from testlib import model_path

FRAMES = 9
log = []


class Done(Exception):
    pass


class Camera:
    def __init__(self, **options):
        self.frames = 0

    def get_pixel_width(self):
        return 96

    get_pixel_height = get_pixel_width

    async def acapture(self):
        await asyncio.sleep_ms(5)
        self.frames += 1
        if self.frames > FRAMES:
            raise Done
        log.append("frame")
        return None if self.frames == 2 else bytes(96 * 96)


class Pin:
    """An LED that notes its levels, and a button that is pressed once, after five frames."""

    IN, OUT, PULL_UP = range(3)

    def __init__(self, number, mode, pull=None):
        pass

    def value(self, level=None):
        if level is None:
            pressed = log.count("frame") >= 5 and "button" not in log
            log.extend(["button"] * pressed)
            return not pressed
        log.append(level)


names = Names(R96X96=0, GRAYSCALE=3, LATEST=1)
sys.modules["acamera"] = Names(Camera=Camera, FrameSize=names, GrabMode=names, PixelFormat=names)
sys.modules["machine"] = Names(Pin=Pin)
import asyncio_camera_main as example
from motionlet.watch import Watch


class Sensitive(Watch):
    """Gives an alarm for every class at the first frame, and after every reset."""

    def __init__(self, stream):
        super().__init__(stream, 1, 0.0001, 1, quiet=())
        made.append(self)


made = []
example.Watch = Sensitive
begin = time.ticks_ms()
try:
    asyncio.run(example.main(model_path("tiny_tsm")))
except Done:
    took = time.ticks_diff(time.ticks_ms(), begin)
watch = made[0]
assert took >= (FRAMES - 1) * 100, took  # the model's 10 frames a second
assert watch.frames + watch.skipped == FRAMES
assert watch.skipped == 1

# The LED blinks between frames, three times for the alarm of the first frame and again after the
# button made another frame the first one.
levels = [item for item in log if item not in ("frame", "button")]
assert levels[:6] == [1, 0, 1, 0, 1, 0]
assert len(levels) > 6
assert "frame" in log[log.index(1) : log.index(1) + 6]
assert log.index(1, log.index("button")) < len(log)
print("OK")
