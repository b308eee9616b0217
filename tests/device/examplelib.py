"""What stands for hardware in the tests of examples: I2C sensors that replay their registers."""

import gc
import sys
from errno import EIO


class Names:
    """A module that only a board has, with what it is given as keywords."""

    def __init__(self, **members):
        for name, value in members.items():
            setattr(self, name, value)


def machine(bus):
    """Let `import machine` give this bus."""
    sys.modules["machine"] = Names(I2C=lambda *pins, **more: bus, Pin=lambda number: number)


def taken(function):
    """The bytes of the heap that a call takes, once it has run."""
    function()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    function()
    after = gc.mem_alloc()
    gc.enable()
    return after - before


class Bus:
    """Stands for machine.I2C. `failures` counts the transfers that fail before it works again."""

    def __init__(self):
        self.sensors = {}
        self.failures = 0

    def readfrom_mem_into(self, address, register, buffer, *, addrsize=8):
        self._select(address, addrsize).read(register, buffer)

    def writeto_mem(self, address, register, data, *, addrsize=8):
        self._select(address, addrsize).write(register, data)

    def _select(self, address, addrsize):
        if self.failures:
            self.failures -= 1
            raise OSError(EIO)
        if address not in self.sensors:
            raise OSError(EIO)
        sensor = self.sensors[address]
        assert addrsize == sensor.ADDRESS_BITS
        return sensor


class AMG8833:
    """Replays frames [8, 8] of quarters of a degree C, one for each reading; then the last one."""

    ADDRESS_BITS = 8

    def __init__(self, frames):
        self.frames = list(frames)
        self.written = {}

    def write(self, register, data):
        self.written[register] = bytes(data)

    def read(self, register, buffer):
        assert (register, len(buffer)) == (0x80, 128)
        frame = self.frames.pop(0) if len(self.frames) > 1 else self.frames[0]
        for i in range(64):
            buffer[2 * i], buffer[2 * i + 1] = frame[i] & 255, frame[i] >> 8 & 15


class MLX90640:
    """Replays subpages: (number, the 832 words of its RAM), big-endian, round and round."""

    ADDRESS_BITS = 16

    def __init__(self, eeprom, subpages):
        self.eeprom = eeprom
        self.subpages = subpages
        self.now = -1
        self.cleared = True  # then the next subpage is measured
        self.control = None

    def write(self, register, data):
        if register == 0x8000:
            assert bytes(data) == b"\x00\x30"
            self.cleared = True
        else:
            assert register == 0x800D
            self.control = data[0] << 8 | data[1]

    def read(self, register, buffer):
        if register == 0x8000:
            if not self.subpages:
                buffer[:] = bytes(2)
                return
            self.now += self.cleared
            self.cleared = False
            number, _ = self.subpages[self.now % len(self.subpages)]
            buffer[:] = bytes([0, 8 | number])
            return
        if register >= 0x2400:
            memory, start = self.eeprom, 2 * (register - 0x2400)
        else:
            memory, start = self.subpages[self.now % len(self.subpages)][1], 2 * (register - 0x400)
        buffer[:] = memory[start : start + len(buffer)]
