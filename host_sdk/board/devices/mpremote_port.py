"""Devices on a serial port, through mpremote's transport: the only file that uses mpremote.

Any URL that pyserial opens is a port: /dev/ttyACM0, COM3, /dev/pts/5, socket://host:port,
rfc2217://host:port.
"""

import codecs
import contextlib
import io
import select
import time

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from host_sdk.board.devices.base import Device
from host_sdk.errors import DeviceError

ANSWER_SECONDS = 10  # for the board to answer what takes no time
INTERRUPT = b"\r\x03"
END = b"\x04"


class _Transport(SerialTransport):
    """mpremote's transport, reading in blocks instead of one byte at a time."""

    def __init__(self, *args, **kwargs):
        self._unread = b""
        super().__init__(*args, **kwargs)

    def enter_raw_repl(self, *args, **kwargs):
        self._unread = b""
        super().enter_raw_repl(*args, **kwargs)

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
        self.port = port
        self.name = name or port
        self._transport = _open(port, baudrate, self.name)
        try:
            self.reset()
        except BaseException:
            self.close()
            raise

    def exec(self, code, *, timeout=None, on_output=None):
        text = []
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        consume = on_output or text.append

        def on_data(data):
            piece = decoder.decode(data.replace(b"\r\n", b"\n"))
            if piece:
                consume(piece)

        with self._port_errors():
            self._transport.exec_raw_no_follow(code)
            error = self._follow(on_data, timeout)
        if error:
            raise DeviceError(f"{self.name}: {error.splitlines()[-1]}", error)
        return "".join(text)

    def _follow(self, on_data, timeout):
        """Pass on the output of what runs; return the error that it ends with, or ""."""
        end = None if timeout is None else time.monotonic() + timeout
        out = _WithoutEnd(on_data)
        try:
            while not self._take(END, 0.25, out):
                if end and time.monotonic() > end:
                    raise DeviceError(f"{self.name}: no end after {timeout:g} s; interrupted")
        except BaseException:  # too late, Ctrl-C here, or trouble of `on_data`
            self._interrupt()
            raise
        error = self._transport.read_until(1, END, timeout=ANSWER_SECONDS)
        if not error.endswith(END):
            raise DeviceError(f"{self.name}: the answer stopped in the middle")
        return error[:-1].decode(errors="replace").replace("\r\n", "\n").strip()

    def _take(self, ending, seconds, consumer):
        """Read for so long at most; return whether `ending` came."""
        data = self._transport.read_until(
            1, ending, timeout=None, data_consumer=consumer, timeout_overall=seconds
        )
        return data == ending

    def _interrupt(self):
        """Stop what runs and get back to the raw REPL's prompt."""
        self._transport.serial.write(INTERRUPT)
        ignore = _WithoutEnd(lambda data: None)
        if not (self._take(END, ANSWER_SECONDS, ignore) and self._take(END, 1, ignore)):
            raise DeviceError(f"{self.name}: does not stop; reset the board")

    def reset(self):
        with self._port_errors(), contextlib.redirect_stdout(io.StringIO()):
            try:
                self._transport.enter_raw_repl(soft_reset=True, timeout_overall=ANSWER_SECONDS)
            except TransportError:
                raise DeviceError(
                    f"{self.name}: no MicroPython answers; is MicroPython on this board, and "
                    f"is it running? Reset the board, or flash it"
                ) from None

    def close(self):
        if self._transport is None:
            return
        # Whatever happens to a port that may be gone already, it is closed then.
        with contextlib.suppress(OSError, TransportError):
            self._transport.exit_raw_repl()
        with contextlib.suppress(OSError, TransportError):
            self._transport.close()
        self._transport = None

    @contextlib.contextmanager
    def _port_errors(self):
        if self._transport is None:
            raise DeviceError(f"{self.name}: closed")
        try:
            yield
        except TransportError as error:
            raise DeviceError(f"{self.name}: {error}") from None
        except (OSError, TypeError) as error:
            # pyserial raises TypeError when another thread or the system closed its descriptor.
            raise DeviceError(f"{self.name}: the board is gone ({error}){self._why()}") from None

    def _why(self):
        """More about a board that is gone, if something is known."""
        return ""


class _WithoutEnd:
    """A consumer of output that drops the byte which ends it."""

    def __init__(self, consumer):
        self._consumer = consumer

    def __call__(self, data):
        data = data.removesuffix(END)
        if data:
            self._consumer(data)


def _open(port, baudrate, name):
    try:
        return _Transport(port, baudrate=baudrate, timeout=ANSWER_SECONDS)
    except (TransportError, OSError, ValueError):
        pass
    # mpremote does not say why: ask pyserial.
    try:
        serial.serial_for_url(port, baudrate=baudrate, exclusive=True).close()
        reason = "try again"
    except ValueError as error:
        reason = f"not a port or URL that pyserial knows ({error})"
    except OSError as error:
        text = str(error)
        if "No such file" in text or "FileNotFound" in text:
            reason = "no such port; is the board plugged in?"
        elif "Permission" in text:
            reason = "no permission; on Linux add yourself to the group dialout and log in again"
        elif "lock" in text or "busy" in text or "Access" in text:
            reason = "another program uses it"
        else:
            reason = text
    raise DeviceError(f"{name}: cannot open: {reason}")
