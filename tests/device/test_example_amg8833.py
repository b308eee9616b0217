# The AMG8833: its driver, and its loop on recorded registers.
import sys

sys.path.append(VECTORS)
from testlib import need_clock

need_clock()
from array import array

import motionlet
from amg8833 import AMG8833
from examplelib import AMG8833 as Sensor
from examplelib import Bus, machine, taken
from testlib import model_path, raises

# 12 bits in two's complement, a quarter of a degree each; hundredths of a degree C come out.
TABLE = ((0x1F4, 12500), (0x064, 2500), (0x001, 25), (0, 0), (0xFFF, -25), (0xF9C, -2500))
bus = Bus()
bus.sensors[0x69] = Sensor([[TABLE[i % len(TABLE)][0] for i in range(64)]])
driver = AMG8833(bus)
assert bus.sensors[0x69].written == {0: b"\x00", 1: b"\x3f", 2: b"\x00"}
assert list(driver.capture()) == [TABLE[i % len(TABLE)][1] for i in range(64)]
assert driver.capture() is driver.capture()
bus.failures = 1
raises(OSError, "EIO", driver.capture)
raises(OSError, "EIO", AMG8833, bus, 0x68)


class Still:
    """A bus that takes no memory itself."""

    def writeto_mem(self, address, register, data):
        pass

    def readfrom_mem_into(self, address, register, buffer):
        for i in range(len(buffer)):
            buffer[i] = 3


assert taken(AMG8833(Still()).capture) == 0

# The loop. Someone warm comes in, one reading fails: the model sees what is pushed by hand here.
room = [88] * 64
warm = [88 + 40 * (18 <= i < 46) for i in range(64)]
recorded = [room] * 3 + [warm] * 5
bus.sensors[0x69] = Sensor(recorded)
machine(bus)
import amg8833_main

stream = motionlet.load(model_path("tiny_thermal")).stream(8, 8, motionlet.INT16)
for quarters in recorded:
    stream.push(array("h", [25 * value for value in quarters]))
reads = 0


class Ending(AMG8833):
    def capture(self):
        global reads
        reads += 1
        if reads == 3:
            bus.failures = 1
        if reads > len(recorded) + 1:
            raise StopIteration
        return super().capture()


amg8833_main.AMG8833 = Ending
watch = amg8833_main.main(model_path("tiny_thermal"))
assert (watch.frames, watch.skipped) == (len(recorded), 1)
assert bytes(watch.stream.output(0)) == bytes(stream.output(0))
print("OK")
