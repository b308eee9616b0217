"""Devices on a serial port, through mpremote's transport: the only file that uses mpremote.

Any URL that pyserial opens is a port: /dev/ttyACM0, COM3, /dev/pts/5, socket://host:port,
rfc2217://host:port.
"""

import codecs
import contextlib
import io
import re
import select
import struct
import time

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from host_sdk.board.devices.base import Device, said_by_device
from host_sdk.errors import DeviceError

ANSWER_SECONDS = 10  # for the board to answer what takes no time
STOP_SECONDS = 5  # for what runs to end after Ctrl-C
REBOOT_SECONDS = 3  # after what looks like a boot, for the end of a program that only printed it
RETURN_SECONDS = 8  # for a board that restarted to be there again
CLOSE_SECONDS = 1
PROTOCOL_BYTES = 256 * 1024  # between two prompts, beside what a program prints
INTERRUPT = b"\r\x03"
END = b"\x04"

# What ESP32's bootloader, and MicroPython's own prompt, begin with.
BOOT = re.compile(
    rb"\brst:0x[0-9a-f]+ \(\w*\),boot:0x"
    rb"|\r\nMicroPython v[^\r\n]* on [^\r\n]*\r\nType \"help\(\)\" for more information\.\r\n"
)
BOOT_BYTES = 400  # more than such a text has
NO_PROMPT = ("no prompt", "could not enter raw repl")

# Of a board that restarted, before anything else restarts it: the number, and a watchdog's.
_RESET_CAUSE = "import machine\nprint(machine.reset_cause(), getattr(machine, 'WDT_RESET', -1))"


class _TooLate(Exception):
    """The time for a piece of the protocol is over, or the board has sent too much in it."""


class _Port:
    """A serial port on which no loop of mpremote's lasts for ever: its `deadline` ends them."""

    def __init__(self, port):
        self._port = port
        self.deadline = None  # of time.monotonic()
        self.room = 0  # bytes that may still come until then

    def __getattr__(self, name):
        return getattr(self._port, name)

    def __setattr__(self, name, value):
        if name in ("_port", "deadline", "room"):
            super().__setattr__(name, value)
        else:
            setattr(self._port, name, value)

    def _check(self):
        if self.deadline and (time.monotonic() > self.deadline or self.room < 0):
            raise _TooLate

    @property
    def in_waiting(self):
        self._check()
        return self._port.in_waiting

    def inWaiting(self):
        return self.in_waiting

    def read(self, size=1):
        self._check()
        data = self._port.read(size)
        self.room -= len(data)
        return data


class _Transport(SerialTransport):
    """mpremote's transport, reading in blocks instead of one byte at a time."""

    def __init__(self, port, baudrate, seconds):
        self._unread = b""
        super().__init__(port, baudrate=baudrate, timeout=seconds)
        self.serial = _Port(self.serial)
        self.serial.write_timeout = seconds  # a board may take nothing

    @contextlib.contextmanager
    def within(self, seconds):
        """Let what goes on inside last so long at most; raise TransportError when it does not."""
        self.serial.deadline = time.monotonic() + seconds
        self.serial.room = PROTOCOL_BYTES
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):  # what it read instead, mpremote prints
                yield
        except TransportError as error:
            restarts = "restarts again and again" if "rst:0x" in said.getvalue() else error
            raise TransportError(restarts) from None
        except _TooLate:
            raise TransportError(NO_PROMPT[0]) from None
        except (struct.error, UnicodeDecodeError):
            raise TransportError("answers what is no raw REPL") from None
        finally:
            self.serial.deadline = None

    def enter_raw_repl(self, *args, **kwargs):
        self._unread = b""
        super().enter_raw_repl(*args, **kwargs)

    def close(self):
        line = getattr(self.serial, "_socket", None)  # which pyserial leaves open when it is cut
        super().close()
        if line is not None:
            line.close()

    def wait(self, seconds):
        """Wait until there is something to read, at most so long."""
        if hasattr(self.serial, "fd"):
            select.select([self.serial.fd], [], [], seconds)
        elif not self.serial.in_waiting:
            time.sleep(min(seconds, 0.001))

    def read_until(
        self, min_num_bytes, ending, timeout=10, data_consumer=None, timeout_overall=None
    ):
        """Read up to and with `ending`, or to the end of a timeout: as in mpremote."""
        now = time.monotonic()
        last, end = now, None if timeout_overall is None else now + timeout_overall
        data = b""
        while True:
            data += self._unread
            self._unread = b""
            found = data.find(ending)
            if found >= 0:
                found += len(ending)
                data, self._unread = data[:found], data[found:]
            if data_consumer and data:
                data_consumer(data)
                data = data[-1:] if found >= 0 else b""
            now = time.monotonic()
            late = (timeout is not None and now > last + timeout) or (end and now > end)
            if found >= 0 or late:
                return data
            self.wait(0.05)
            if self.serial.in_waiting:
                self._unread = self.serial.read(self.serial.in_waiting)
                last = now


class SerialDevice(Device):
    """MicroPython's raw REPL on a serial port.

    Opening one interrupts what runs there and restarts MicroPython, without main.py.
    Raises DeviceError when the port cannot be opened or no MicroPython answers.
    """

    def __init__(self, port, baudrate=115200, name=None):
        super().__init__()
        self.port = port
        self.name = name or port
        self._baudrate = baudrate
        self._answer_seconds = min(ANSWER_SECONDS, self.limits.silence)
        self._dead = ""  # why nothing more is to be waited for
        self._transport = self._open()
        try:
            self.reset()
        except BaseException:
            self.close()
            raise

    def exec(self, code, *, timeout=None, silence=None, on_output=None):
        limits = self.limits.changed(timeout, silence)
        output = _Output(self.name, limits, on_output)
        if self._dead:
            raise DeviceError(f"{self.name}: {self._dead}")
        with self._port_errors():
            try:
                with self._transport.within(self._answer_seconds + len(code) / 500):
                    self._transport.exec_raw_no_follow(code)
                error = self._follow(output, limits)
            except TransportError as trouble:
                raise DeviceError(f"{self.name}: {self._lost(trouble)}") from None
        if error:
            raise said_by_device(self.name, error)
        return output.text()

    def _follow(self, output, limits):
        """Pass on the output of what runs; return the error that it ends with, or ""."""
        begin = time.monotonic()
        try:
            while not self._take(END, 0.25, output):
                now = time.monotonic()
                if output.booted:
                    if now > output.booted + REBOOT_SECONDS:
                        raise TransportError("the board restarted")
                elif now > output.last + limits.silence:
                    raise DeviceError(f"{self.name}: silent for {limits.silence:g} s; interrupted")
                elif now > begin + limits.whole:
                    raise DeviceError(f"{self.name}: no end after {limits.whole:g} s; interrupted")
        except TransportError:
            raise
        except BaseException:  # too late, Ctrl-C here, or trouble of `on_output`
            self._interrupt()
            raise
        error = _Output(self.name, limits)
        try:
            ended = self._take(END, self._answer_seconds, error)
        except DeviceError:  # an endless one
            self._interrupt()
            raise
        if not ended:
            raise TransportError("the answer stopped in the middle")
        return error.text().strip()

    def _take(self, ending, seconds, consumer):
        """Read for so long at most; return whether `ending` came."""
        data = self._transport.read_until(
            1, ending, timeout=None, data_consumer=consumer, timeout_overall=seconds
        )
        return data == ending

    def _interrupt(self):
        """Stop what runs and get back to the raw REPL's prompt."""
        self._transport.serial.write(INTERRUPT)
        if not (self._take(END, STOP_SECONDS, _ignore) and self._take(END, 1, _ignore)):
            self._dead = "does not stop; reset the board"
            raise DeviceError(f"{self.name}: {self._dead}")

    def reset(self):
        seconds = self._answer_seconds
        with self._port_errors():
            try:
                with self._transport.within(2 * seconds):
                    self._transport.enter_raw_repl(soft_reset=True, timeout_overall=seconds)
            except TransportError as trouble:
                raise DeviceError(f"{self.name}: {self._lost(trouble)}") from None
        self._dead = ""

    def _lost(self, trouble):
        """Get back to the prompt that is lost, and return what to say of it: why, if it is known.

        A board that restarted tells the cause until it is restarted again, by software too.
        """
        cause = self._reset_cause()
        if cause is None:
            self._dead = f"{trouble}; reset the board"
            if str(trouble) in NO_PROMPT:
                self._dead = (
                    "no MicroPython answers; is MicroPython on this board, and is it running? "
                    "Reset the board, or flash it"
                )
            return self._dead
        number, watchdog = cause
        if number == watchdog:
            return (
                "the board restarted, by a watchdog as machine.reset_cause() says: one that "
                "main.py starts goes on while nobody feeds it; leave it out meanwhile"
            )
        if number is not None and "restarted" in str(trouble):
            return f"{trouble} (machine.reset_cause() is {number})"
        return f"{trouble}; it answers again: try once more"

    def _reset_cause(self):
        """Enter the raw REPL again; return (machine.reset_cause(), WDT_RESET), or None."""
        seconds = min(RETURN_SECONDS, self._answer_seconds)
        try:
            with self._transport.within(seconds):
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=seconds)
                self._transport.exec_raw_no_follow(_RESET_CAUSE)
                said, error = self._transport.follow(CLOSE_SECONDS)
        except TransportError:
            return None
        words = said.split()
        if error or len(words) != 2 or not all(word.lstrip(b"-").isdigit() for word in words):
            return None, -1
        return int(words[0]), int(words[1])

    def close(self):
        if self._transport is None:
            return
        # Whatever happens to a port that may be gone already, it is closed then.
        with contextlib.suppress(OSError, TransportError, TypeError):
            self._transport.serial.write_timeout = CLOSE_SECONDS
            self._transport.exit_raw_repl()
        with contextlib.suppress(OSError, TransportError, TypeError):
            self._transport.close()
        self._transport = None

    @contextlib.contextmanager
    def _port_errors(self):
        if self._transport is None:
            raise DeviceError(f"{self.name}: closed")
        try:
            yield
        except serial.SerialTimeoutException:
            raise DeviceError(f"{self.name}: takes no more bytes; reset the board") from None
        except (OSError, TypeError) as error:
            # pyserial raises TypeError when another thread or the system closed its descriptor.
            raise DeviceError(f"{self.name}: the board is gone ({error}){self._why()}") from None

    def _open(self):
        try:
            return _Transport(self.port, self._baudrate, self._answer_seconds)
        except (TransportError, OSError, ValueError):
            pass
        # mpremote does not say why: ask pyserial.
        try:
            serial.serial_for_url(self.port, baudrate=self._baudrate, exclusive=True).close()
            reason = "try again"
        except ValueError as error:
            reason = f"not a port or URL that pyserial knows ({error})"
        except OSError as error:
            text = str(error)
            if "No such file" in text or "FileNotFound" in text:
                reason = "no such port; is the board plugged in?"
            elif "Permission" in text:
                reason = (
                    "no permission; on Linux add yourself to the group dialout and log in again"
                )
            elif "lock" in text or "busy" in text or "Access" in text:
                reason = "another program uses it"
            elif "Is a directory" in text or "Inappropriate ioctl" in text:
                reason = "not a serial port"
            else:
                reason = text
        raise DeviceError(f"{self.name}: cannot open: {reason}")

    def _why(self):
        """More about a board that is gone, if something is known.

        With USB of its own, one that restarts is gone for a moment: look what it says then.
        """
        end = time.monotonic() + min(RETURN_SECONDS, self._answer_seconds)
        self.close()
        while time.monotonic() < end:
            time.sleep(0.2)
            try:
                self._transport = self._open()
                return f"; {self._lost('it restarted')}"
            except (DeviceError, OSError, TypeError):
                self.close()
        return ""


class _Output:
    """What a program prints, as far as it may: text that is kept, or passed on.

    last: when something came. booted: when it began to look as if the board had restarted, or 0.
    """

    def __init__(self, name, limits, on_output=None):
        self._name = name
        self._room = limits.answer_bytes
        self._pieces = []
        self._consume = on_output or self._keep
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = b""
        self.last = time.monotonic()
        self.booted = 0

    def __call__(self, data):
        self.last = time.monotonic()
        data = data.removesuffix(END)
        self._tail = (self._tail + data)[-max(BOOT_BYTES, len(data) + BOOT_BYTES) :]
        if not self.booted and BOOT.search(self._tail):
            self.booted = self.last
        self._tail = self._tail[-BOOT_BYTES:]
        piece = self._decoder.decode(data.replace(b"\r\n", b"\n"))
        if piece:
            self._consume(piece)

    def _keep(self, piece):
        self._room -= len(piece)
        if self._room < 0:
            raise DeviceError(f"{self._name}: its answer does not end; interrupted")
        self._pieces.append(piece)

    def text(self):
        return "".join(self._pieces)


def _ignore(data):
    pass
