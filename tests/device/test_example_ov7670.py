# The OV7670 on the RP2040: its registers, and PIO and DMA on a bus played by the pins' own pulls.
import sys

sys.path.append(VECTORS)


class Sccb:
    """The camera's registers."""

    def __init__(self, product=0x76):
        self.registers = {0x0A: product}

    def writeto_mem(self, address, register, data):
        assert (address, len(data)) == (0x21, 1)
        self.registers[register] = data[0]

    def writeto(self, address, data):
        assert (address, len(data)) == (0x21, 1)
        self.asked = data[0]

    def readfrom(self, address, count):
        return bytes([self.registers[self.asked]])


FIRST = 6
VSYNC, HREF, PCLK = 256, 512, 1024


def levels(value, last):
    """Pull each pin that has to change up or down; an open pin follows."""
    from machine import Pin, mem32

    for i in range(11):
        if (value ^ last[0]) >> i & 1:
            Pin(FIRST + i, Pin.IN, Pin.PULL_UP if value >> i & 1 else Pin.PULL_DOWN)
    last[0] = value
    # The emulated PIO looks at a pull's level when an interrupt flag is cleared; no one has set it.
    mem32[0x50200030] = 128


def test():
    import ov7670
    from examplelib import taken
    from testlib import raises

    raises(OSError, "product 0x26 at 0x21 is no OV7670", ov7670.OV7670, Sccb(0x26), FIRST, 17)
    ov7670.WIDTH, ov7670.HEIGHT = 2, 2  # a small picture: virtual time is slow
    sccb = Sccb()
    camera = ov7670.OV7670(sccb, FIRST, 17)
    assert (sccb.registers[0x15], sccb.registers[0x12]) == (2, 0)
    last = [2047]
    levels(0, last)
    camera.timeout = 1
    assert taken(camera.capture) == 0
    assert camera.capture() is None  # no frame comes
    for turn in range(2):
        levels(VSYNC | HREF, last)  # in the middle of a frame, of which nothing is taken
        camera._start()
        levels(VSYNC | HREF | PCLK | 99, last)
        levels(0, last)
        levels(VSYNC, last)
        sent = bytes(range(11 + turn, 91 + turn, 10))
        for i in range(8):
            if i == 4:
                levels(VSYNC | PCLK | 55, last)  # between lines
                levels(VSYNC | 55, last)
            levels(VSYNC | HREF | sent[i], last)
            levels(VSYNC | HREF | PCLK | sent[i], last)
            levels(VSYNC | HREF | sent[i], last)
        assert not camera._dma.active()
        assert bytes(camera._frame) == sent, bytes(camera._frame)
    camera.close()


try:
    import rp2  # noqa: F401
except ImportError:
    from testlib import Skip

    raise Skip("no PIO here") from None
test()
print("OK")
