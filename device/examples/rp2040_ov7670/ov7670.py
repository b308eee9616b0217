"""An OV7670 on the RP2040: a PIO program reads the camera's bus, DMA fills the frame.

Registers are those of OmniVision's datasheet and implementation guide; COM10 and the scaling for
160 x 120 are as the Linux driver and PicoCamera set them.
"""

from array import array
from time import sleep_ms, ticks_diff, ticks_ms

# ruff: noqa: F821 (the assembler's names)
import machine
import rp2
from micropython import const

WIDTH, HEIGHT = 160, 120
_ADDRESS = const(0x21)
_PRODUCT = const(0x0A)  # 0x76 in an OV7670
_SETUP = (  # register and value, one after the other
    b"\x3a\x04\x12\x00\x40\xc0\x8c\x00"  # Y U Y V, the full range
    b"\x11\x00\x6b\x4a"  # XCLK times 4
    b"\x15\x02"  # VSYNC is high during a frame, PCLK always runs
    b"\x13\xe7"  # automatic gain, exposure and white balance
    b"\x3b\x12\xb0\x84"  # light of 50 and 60 Hz; a value the guide asks for
    b"\x0c\x04\x3e\x1a\x70\x3a\x71\x35\x72\x22\x73\xf2\xa2\x02"  # a quarter of VGA each way
    b"\x17\x13\x18\x01\x32\x36\x19\x03\x1a\x7a\x03\x08"  # the window
)


@rp2.asm_pio(
    in_shiftdir=rp2.PIO.SHIFT_RIGHT, autopush=True, push_thresh=32, fifo_join=rp2.PIO.JOIN_RX
)
def _read_bus():
    """From the start of the next frame on, a byte at each rising edge of PCLK while HREF is high.

    Pins: D0 to D7, VSYNC, HREF, PCLK, in this order.
    """
    wait(0, pin, 8)
    wait(1, pin, 8)
    wrap_target()
    label("edge")
    wait(0, pin, 10)
    wait(1, pin, 10)
    jmp(pin, "take")  # HREF is looked at after the edge: it may fall a little later than PCLK
    jmp("edge")
    label("take")
    in_(pins, 8)
    wrap()


class OV7670:
    def __init__(self, i2c, first_pin, clock_pin, state_machine=0):
        """Set up the camera.

        i2c: a machine.I2C at 100 kHz, on the camera's SIOD and SIOC.
        first_pin: the number of D0's pin; D1 to D7, VSYNC, HREF and PCLK follow it.
        clock_pin: the number of XCLK's pin; it gets 12.5 MHz.
        state_machine: of PIO 0, 0 to 3.
        """
        self._clock = machine.PWM(machine.Pin(clock_pin), freq=12_500_000, duty_u16=32768)
        sleep_ms(10)
        i2c.writeto_mem(_ADDRESS, 0x12, b"\x80")  # reset
        sleep_ms(10)
        # The camera does not understand a repeated start: write, stop, read.
        i2c.writeto(_ADDRESS, bytes([_PRODUCT]))
        product = i2c.readfrom(_ADDRESS, 1)[0]
        if product != 0x76:
            raise OSError("product 0x{:02x} at 0x21 is no OV7670".format(product))
        for i in range(0, len(_SETUP), 2):
            i2c.writeto_mem(_ADDRESS, _SETUP[i], _SETUP[i + 1 : i + 2])
        for number in range(first_pin, first_pin + 11):
            machine.Pin(number, machine.Pin.IN)
        first, href = machine.Pin(first_pin), machine.Pin(first_pin + 9)
        self._machine = rp2.StateMachine(state_machine, _read_bus, in_base=first, jmp_pin=href)
        self._dma = rp2.DMA()
        # Request 4 is what PIO 0 has received in state machine 0.
        self._control = self._dma.pack_ctrl(size=2, inc_read=False, treq_sel=4 + state_machine)
        self._frame = bytearray(2 * WIDTH * HEIGHT)
        self._word = array("I", [0])
        self.timeout = 200  # milliseconds

    def capture(self):
        """Wait for the next frame; return it, or None after `timeout`.

        It is what a stream takes as `motionlet.YUV422`, 160 x 120, in the same bytearray each time.
        Takes no memory.
        """
        self._start()
        begin = ticks_ms()
        while self._dma.active():
            if ticks_diff(ticks_ms(), begin) > self.timeout:
                self._dma.active(0)
                return None
            sleep_ms(1)
        return self._frame

    def _start(self):
        """Let the next frame come in."""
        self._machine.active(0)
        while self._machine.rx_fifo():
            self._machine.get(self._word)  # of the frame before
        self._machine.restart()
        self._dma.config(
            read=self._machine,
            write=self._frame,
            count=len(self._frame) // 4,
            ctrl=self._control,
            trigger=True,
        )
        self._machine.active(1)

    def close(self):
        """Give back the state machine, the DMA channel and the clock."""
        self._machine.active(0)
        self._dma.close()
        self._clock.deinit()
