"""The Panasonic Grid-EYE AMG8833: 8 x 8 temperatures over I2C, ten times a second.

Registers and formats are those of the datasheet "Infrared Array Sensor Grid-EYE (AMG88)".
"""

from array import array

from micropython import const

_POWER = const(0x00)  # 0: normal mode
_RESET = const(0x01)  # 0x3F: initial reset, which reads the calibration again
_RATE = const(0x02)  # 0: 10 frames a second, 1: 1
_PIXELS = const(0x80)  # 64 words, the low byte first


class AMG8833:
    def __init__(self, i2c, address=0x69):
        """i2c: a machine.I2C at up to 400 kHz. address: 0x68 with AD_SELECT low, 0x69 high."""
        self.i2c = i2c
        self.address = address
        self._raw = bytearray(128)
        self._frame = array("h", bytes(128))
        for register, value in ((_POWER, 0), (_RESET, 0x3F), (_RATE, 0)):
            i2c.writeto_mem(address, register, bytes([value]))

    def capture(self):
        """Return the temperatures [8, 8] in hundredths of a degree C; the same array each time.

        It is what a stream takes as `motionlet.INT16`. Raises OSError when the sensor does not
        answer. Takes no memory.
        """
        self.i2c.readfrom_mem_into(self.address, _PIXELS, self._raw)
        for i in range(64):
            # 12 bits in two's complement, a quarter of a degree each.
            quarters = self._raw[2 * i] | (self._raw[2 * i + 1] & 15) << 8
            if quarters & 2048:
                quarters -= 4096
            self._frame[i] = 25 * quarters
        return self._frame
