# The loop of the ESP32's camera: read-only memoryviews of typecode 'b', None when it fails.
import sys

sys.path.append(VECTORS)
from testlib import need_clock

need_clock()
from array import array

import motionlet
from examplelib import Names
from testlib import model_path

views = [memoryview(array("b", bytes(range(t, 96 + t)) * 96)) for t in range(3)]
recorded = [views[0], None, views[1], views[2][:100], views[2]]
made = {}


class Camera:
    def __init__(self, **options):
        made.update(options)
        self.frames = list(recorded)

    def get_pixel_width(self):
        return 96

    get_pixel_height = get_pixel_width

    def capture(self):
        if not self.frames:
            raise StopIteration
        return self.frames.pop(0)


names = Names(R96X96=0, GRAYSCALE=3, LATEST=1)
sys.modules["camera"] = Names(Camera=Camera, FrameSize=names, GrabMode=names, PixelFormat=names)
import esp32_camera_main

watch = esp32_camera_main.main(model_path("tiny_tsm"))
assert (watch.frames, watch.skipped) == (3, 2)
assert made == {"frame_size": 0, "pixel_format": 3, "grab_mode": 1, "fb_count": 2}
stream = motionlet.load(model_path("tiny_tsm")).stream(96, 96, motionlet.GRAY8)
for view in views:
    stream.push(view)
assert bytes(stream.output(0)) == bytes(watch.stream.output(0))
print("OK")
