"""The Melexis MLX90640: 32 x 24 temperatures over I2C.

Names and formulas are those of the datasheet 3901090640, section 11.2: first what the sensor's
EEPROM says of each pixel, then the temperatures from a reading.
"""

from array import array
from errno import EIO, ETIMEDOUT
from math import sqrt
from time import sleep_ms, ticks_diff, ticks_ms

import micropython
from micropython import const

WIDTH, HEIGHT = 32, 24
RATES = (0.5, 1, 2, 4, 8, 16, 32, 64)  # subpages a second, by their code in the control register

_EEPROM = const(0x2400)
_RAM = const(0x0400)
_STATUS = const(0x8000)
_CONTROL = const(0x800D)
_KELVIN = 273.15


def _signed(value, bits):
    """The low `bits` of a value, in two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


class MLX90640:
    def __init__(self, i2c, address=0x33, rate=8, emissivity=0.95):
        """Read the calibration and start to measure.

        i2c: a machine.I2C at 400 kHz; at 1 MHz for more than 8 subpages a second.
        rate: subpages a second, one of RATES; a frame is two of them.
        emissivity: of what is seen, 0 to 1; skin and clothes have about 0.95.
        """
        if rate not in RATES:
            raise ValueError("rate must be one of {}".format(RATES))
        self.i2c = i2c
        self.address = address
        self.emissivity = emissivity
        self.timeout = int(4000 / rate) + 100  # milliseconds
        self._raw = bytearray(2 * 832)  # pixels and what is measured with them
        self._word = memoryview(self._raw)[:2]
        self._frame = array("f", bytes(4 * WIDTH * HEIGHT))
        self._read(_EEPROM, self._raw)
        self._calibrate()
        # Subpages on, in the pattern and at the resolution of the calibration.
        control = 1 | RATES.index(rate) << 7 | self._resolution << 10 | self._chess << 12
        i2c.writeto_mem(address, _CONTROL, control.to_bytes(2, "big"), addrsize=16)
        self._clear()

    def capture(self):
        """Wait for both subpages; return the degrees C [24, 32] in the same array('f') each time.

        It is what a stream takes as `motionlet.FLOAT32`. Raises OSError when the sensor does not
        answer, or nonsense. Takes memory for every operation on floats.
        """
        begin, seen = ticks_ms(), 0
        while seen != 3:
            self._read(_STATUS, self._word)
            status = self._raw[1]
            if not status & 8:
                if ticks_diff(ticks_ms(), begin) > self.timeout:
                    raise OSError(ETIMEDOUT)
                sleep_ms(1)
                continue
            self._clear()
            self._read(_RAM, self._raw)
            try:
                self._measure(status & 1)
            except (ValueError, ZeroDivisionError):
                raise OSError(EIO) from None  # no temperature gives such a reading
            seen |= 1 << (status & 1)
        for i, near in self._bad:
            self._frame[i] = self._frame[near]
        return self._frame

    def _read(self, register, buffer):
        self.i2c.readfrom_mem_into(self.address, register, buffer, addrsize=16)

    def _clear(self):
        """Allow the sensor to write the next subpage."""
        self.i2c.writeto_mem(self.address, _STATUS, b"\x00\x30", addrsize=16)

    def _at(self, i):
        """Word i of what was read, unsigned."""
        return self._raw[2 * i] << 8 | self._raw[2 * i + 1]

    def _value(self, i):
        """Word i of what was read, signed."""
        word = self._at(i)
        return word - 65536 if word & 32768 else word

    def _calibrate(self):
        """Work out the constants of the sensor and of each pixel from its EEPROM."""
        at, value = self._at, self._value
        low = [_signed(at(i), 8) for i in range(64)]
        high = [_signed(at(i) >> 8, 8) for i in range(64)]
        scale = at(56)
        self._resolution = scale >> 12 & 3
        self._chess = 0 if at(10) & 0x800 else 1
        self._k_vdd, self._vdd_25 = 32 * high[51], ((at(51) & 255) - 256) * 32 - 8192
        self._kv_ptat, self._kt_ptat = _signed(at(50) >> 10, 6) / 4096, _signed(at(50), 10) / 8
        self._ptat_25, self._alpha_ptat = value(49), (at(16) >> 12) / 4 + 8
        self._gain = value(48)
        self._tgc, self._ks_ta = low[60] / 32, high[60] / 8192
        self._ks_to = high[61] / (1 << (at(63) & 15) + 8)  # of 0 degrees C and more
        kta_scale, kta_step = 1 << (scale >> 4 & 15) + 8, scale & 15
        kv_scale = 1 << (scale >> 8 & 15)
        # The compensation pixel of each subpage.
        offset = _signed(at(58), 10)
        self._cp_offset = offset, offset + _signed(at(58) >> 10, 6)
        self._cp_kta, self._cp_kv = low[59] / kta_scale, high[59] / kv_scale
        alpha = _signed(at(57), 10) / 2 ** ((at(32) >> 12) + 27)
        cp_alpha = alpha, alpha * (1 + _signed(at(57) >> 10, 6) / 128)
        # By even and odd row, then column.
        kta = high[54], high[55], low[54], low[55]
        self._kv = [_signed(at(52) >> shift, 4) / kv_scale for shift in (12, 4, 8, 0)]

        def table(start, count, shift):
            return [_signed(at(start + i // 4) >> i % 4 * 4, 4) << shift for i in range(count)]

        offset_rows = table(18, HEIGHT, at(16) >> 8 & 15)
        offset_columns = table(24, WIDTH, at(16) >> 4 & 15)
        alpha_rows = table(34, HEIGHT, at(32) >> 8 & 15)
        alpha_columns = table(40, WIDTH, at(32) >> 4 & 15)
        offset_step, alpha_step = at(16) & 15, at(32) & 15
        alpha_scale = 2 ** ((at(32) >> 12) + 30)
        self._offset = array("h", bytes(2 * WIDTH * HEIGHT))
        self._alpha, self._kta = array("f", self._frame), array("f", self._frame)
        self._bad = []
        for i in range(WIDTH * HEIGHT):
            row, column, word = i // WIDTH, i % WIDTH, at(64 + i)
            self._offset[i] = (
                value(17)
                + offset_rows[row]
                + offset_columns[column]
                + (_signed(word >> 10, 6) << offset_step)
            )
            alpha = (
                at(33)
                + alpha_rows[row]
                + alpha_columns[column]
                + (_signed(word >> 4, 6) << alpha_step)
            )
            page = (row ^ column) & 1 if self._chess else row & 1
            self._alpha[i] = alpha / alpha_scale - self._tgc * cp_alpha[page]
            split = row % 2 * 2 + column % 2
            self._kta[i] = (kta[split] + (_signed(word >> 1, 3) << kta_step)) / kta_scale
            if word == 0 or word & 1:  # broken, or outside its specification
                self._bad.append((i, i - 1 if column else i + 1))

    def _measure(self, page):
        """Work out the temperatures of a subpage."""
        value = self._value
        vdd = (value(810) - self._vdd_25) / self._k_vdd  # its difference from 3.3 V
        ptat = value(800)
        art = ptat / (ptat * self._alpha_ptat + value(768)) * 262144
        ta = (art / (1 + self._kv_ptat * vdd) - self._ptat_25) / self._kt_ptat  # above 25 degrees C
        gain = self._gain / value(778)
        drift = (1 + self._cp_kta * ta) * (1 + self._cp_kv * vdd)
        cp = value(808 if page else 776) * gain - self._cp_offset[page] * drift
        base = self._tgc * cp
        sensitivity = 1 + self._ks_ta * ta
        kelvin = ta + 25 + _KELVIN
        around = (kelvin - 8) ** 4  # the sensor is 8 degrees warmer than what it reflects
        tar = around - (around - kelvin**4) / self.emissivity
        drifts = [1 + kv * vdd for kv in self._kv]
        self._pixels(page, gain, ta, drifts, base, sensitivity, tar)
        self.ta, self.vdd = ta + 25, vdd + 3.3

    @micropython.native  # a quarter faster
    def _pixels(self, page, gain, ta, drifts, base, sensitivity, tar):
        """The temperatures of the pixels of a subpage."""
        raw, frame, alphas = self._raw, self._frame, self._alpha
        offsets, ktas, emissivity = self._offset, self._kta, self.emissivity
        ks, kelvin, root = self._ks_to, _KELVIN, sqrt
        ks_kelvin = 1 - ks * kelvin
        for row in range(HEIGHT):
            column, step = 0, 1
            if self._chess:
                column, step = (row ^ page) & 1, 2
            elif row & 1 != page:
                continue
            i = row * WIDTH + column
            end = (row + 1) * WIDTH
            while i < end:
                word = raw[2 * i] << 8 | raw[2 * i + 1]
                if word & 32768:
                    word -= 65536
                drift = (1 + ktas[i] * ta) * drifts[(row & 1) * 2 + (i & 1)]
                v = (word * gain - offsets[i] * drift - base) / emissivity
                a = alphas[i] * sensitivity
                s = root(root(a * a * a * (v + a * tar))) * ks
                frame[i] = root(root(v / (a * ks_kelvin + s) + tar)) - kelvin
                i += step
