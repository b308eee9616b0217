"""Streaming int8 video networks.

model = motionlet.load("/rom/gesture.mlet")
stream = model.stream()
while True:
    stream.push(camera.capture())
    print(model.labels[stream.argmax()])
"""

from _motionlet import FLOAT32 as FLOAT32
from _motionlet import FORMAT_VERSION as FORMAT_VERSION
from _motionlet import GRAY8 as GRAY8
from _motionlet import GROUPS as GROUPS
from _motionlet import INT16 as INT16
from _motionlet import OPERATORS as OPERATORS
from _motionlet import RGB565_BE as RGB565_BE
from _motionlet import RGB565_LE as RGB565_LE
from _motionlet import RGB888 as RGB888
from _motionlet import TARGET as TARGET
from _motionlet import VERSION as VERSION
from _motionlet import YUV422 as YUV422
from _motionlet import FrameRing as FrameRing
from _motionlet import Model as Model
from _motionlet import Stream as Stream
from _motionlet import add as add
from _motionlet import argmax as argmax
from _motionlet import average_pool as average_pool
from _motionlet import conv2d as conv2d
from _motionlet import conv3d_separable as conv3d_separable
from _motionlet import crc32 as crc32
from _motionlet import dense as dense
from _motionlet import depthwise2d as depthwise2d
from _motionlet import max_pool2d as max_pool2d
from _motionlet import pointwise as pointwise
from _motionlet import resize as resize
from _motionlet import temporal_average as temporal_average
from _motionlet import temporal_depthwise as temporal_depthwise
from _motionlet import temporal_shift as temporal_shift

def load(path: str, in_ram: bool = False, slow: bool = False) -> Model:
    """Load a model file.

    From a ROMFS it is used where it lies in flash, without a copy; from another file system it is
    read into RAM.

    in_ram: copy from a ROMFS too. Misses of the flash cache cost time, RAM does not.
    slow: load a model too that takes more than 2**31 multiply-accumulates a frame: minutes.

    A file that an update left under another name when power failed is found, and a ROMFS that one
    left without its first block is mended.

    Raises OSError if there is no such file or it cannot be read, ValueError naming path, record and
    field if it is not a model that this firmware runs, MemoryError naming the model's bytes and
    those free.
    """
