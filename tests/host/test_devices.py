"""Devices: code, files and ROMFS on each; then what only the virtual Pico or a port can do."""

import os
import pty
import random
import subprocess
import sys
import threading
import time
import tty

import pytest

from host_sdk import paths
from host_sdk.board.devices import base, open_device
from host_sdk.board.romfs import build_romfs
from host_sdk.errors import DeviceError, MotionletError

RANDOM = random.Random(1).randbytes(2500)


def test_code_runs_and_its_output_comes_back(device):
    assert device.exec("print(6 * 7)") == "42\n"
    assert device.exec("x = 5") == ""
    assert device.exec("print(x, 'ä€', end='')") == "5 ä€"
    assert device.eval("[x, b'\\x00', None, 1.5]") == [5, b"\0", None, 1.5]


def test_output_is_streamed_whole(device):
    pieces = []
    code = "for i in range(300): print('line', i, '€')"
    assert device.exec(code, on_output=pieces.append) == ""
    assert "".join(pieces) == "".join(f"line {i} €\n" for i in range(300))


def test_an_exception_has_its_last_line_and_its_traceback(device):
    with pytest.raises(DeviceError, match=r": ZeroDivisionError: ") as caught:
        device.exec("print('before')\ndef broken():\n    1 / 0\nbroken()")
    assert "in broken" in caught.value.traceback
    assert device.exec("print('alive')") == "alive\n"


def test_no_exception_ends_the_device(device):
    for code in ("1 +", "raise KeyboardInterrupt", "import nothing_here"):
        with pytest.raises(DeviceError):
            device.exec(code)
        assert device.eval("1 + 1") == 2


def test_a_busy_device_is_interrupted(device):
    for code in ("while True: pass", "while True: print('x' * 50)"):
        with pytest.raises(DeviceError, match=r"(no end after|silent for) 0\.2 s"):
            device.exec(code, timeout=0.2)
        assert device.eval("1 + 1") == 2


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, ValueError])
def test_trouble_here_interrupts_what_runs_there(device, trouble):
    def on_output(text):
        raise trouble

    with pytest.raises(trouble):
        device.exec("while True: print('x' * 50)", on_output=on_output)
    assert device.eval("1 + 1") == 2


def test_output_cannot_imitate_the_end(device):
    assert device.exec("print('a\\x05b>OK')") == "a\x05b>OK\n"


def test_reset_forgets_names_and_keeps_files(device):
    device.exec("kept = 1")
    device.write_file("/kept.txt", b"file")
    device.reset()
    with pytest.raises(DeviceError, match="NameError"):
        device.exec("kept")
    assert device.read_file("/kept.txt") == b"file"


def test_implementation_tells_what_it_is(device):
    facts = device.implementation()
    assert facts["name"] == "micropython"
    assert tuple(map(int, facts["version"].split("."))) >= (1, 25, 0)
    assert facts["mem_free"] > 50_000
    assert facts["platform"] in ("linux", "darwin", "rp2", "esp32")


@pytest.mark.parametrize("size", [0, 1, base.CHUNK, 2500])
def test_files_come_back_as_they_went(device, size):
    seen = []
    device.write_file("/made/on/the/way.bin", RANDOM[:size], lambda *step: seen.append(step))
    assert device.read_file("/made/on/the/way.bin") == RANDOM[:size]
    assert device.exec("import os; print(os.listdir('/made/on/the'))") == "['way.bin']\n"
    assert seen[-1:] == ([(size, size)] if size else [])


def test_a_file_is_replaced_only_by_a_whole_one(device, monkeypatch):
    device.write_file("/model", b"old")
    monkeypatch.setattr(base, "_base64", lambda data: "'AAAA'")  # what a broken line would do
    with pytest.raises(DeviceError, match="differs from what was sent"):
        device.write_file("/model", b"new and longer")
    assert device.read_file("/model") == b"old"
    assert "_mlet.tmp" not in device.exec("print(os.listdir('/'))")


def test_a_missing_file_is_said_to_be_missing(device):
    with pytest.raises(DeviceError, match="ENOENT"):
        device.read_file("/not/there")


def test_romfs_is_written_checked_mounted_and_replaced(device):
    if not device.romfs_bytes():
        pytest.skip("no ROMFS in this firmware")
    device.write_romfs(build_romfs({"a": RANDOM, "b": b"1"}))
    assert device.read_file("/rom/a") == RANDOM
    seen = []
    device.write_romfs(build_romfs({"c": b"two"}), lambda *step: seen.append(step))
    assert device.exec("import os; print(os.listdir('/rom'))") == "['c']\n"
    device.reset()
    assert device.read_file("/rom/c") == b"two"
    assert seen[-1][0] == seen[-1][1]


def test_a_bad_romfs_is_refused_and_the_old_one_stays(device):
    size = device.romfs_bytes()
    if not size:
        pytest.skip("no ROMFS in this firmware")
    device.write_romfs(build_romfs({"old": b"1"}))
    with pytest.raises(MotionletError, match="not a ROMFS image"):
        device.write_romfs(b"something else")
    with pytest.raises(DeviceError, match=f"the partition {size}"):
        device.write_romfs(build_romfs({"big": bytes(size)}))
    assert device.read_file("/rom/old") == b"1"


def test_a_closed_device_says_so(unix_firmware, tmp_path):
    device = open_device("unix", directory=tmp_path)
    device.close()
    device.close()
    with pytest.raises(DeviceError, match="closed"):
        device.exec("1")


def test_a_crash_of_the_unix_port_is_named(unix_firmware, tmp_path):
    with open_device("unix", directory=tmp_path) as device:
        with pytest.raises(DeviceError, match="SIGSEGV"):
            device.exec("import uctypes; uctypes.bytes_at(8, 1)")
        device.reset()
        assert device.eval("1 + 1") == 2


# The virtual Pico


def littlefs_image(files, path):
    """Write an image for the board's storage with `files`, a dict of path to bytes."""
    from littlefs import LittleFS

    image = LittleFS(block_size=4096, block_count=1280 // 4, prog_size=256)
    for name, data in files.items():
        with image.open(name, "wb") as file:
            file.write(data)
    path.write_bytes(image.context.buffer)


def test_a_full_file_system_is_named(pico_firmware, tmp_path):
    # 1280 KiB of storage, less two blocks for the root directory and one per 128 blocks of index.
    littlefs_image({"/filler": bytes(1260 * 1024)}, tmp_path / "lfs.img")
    flash = tmp_path / "flash"
    with open_device("virtual", flash=flash, littlefs=tmp_path / "lfs.img") as pico:
        with pytest.raises(DeviceError, match=r"no room for /more \(20000 bytes\)"):
            pico.write_file("/more", bytes(20000))
        assert pico.exec("import os; print(os.listdir('/'))") == "['filler']\n"


def test_flash_outlasts_the_process(pico_firmware, tmp_path):
    flash = tmp_path / "flash"
    with open_device("virtual", flash=flash) as pico:
        pico.write_file("/here.txt", b"still")
        pico.write_romfs(build_romfs({"model": RANDOM}))
        with pytest.raises(MotionletError, match="another virtual Pico uses it"):
            open_device("virtual", flash=flash)
    assert flash.stat().st_size == 2 * 1024 * 1024
    with open_device("virtual", flash=flash) as pico:
        assert pico.read_file("/here.txt") == b"still"
        assert pico.read_file("/rom/model") == RANDOM
    with open_device("virtual", flash=flash, fresh=True) as pico:
        assert pico.exec("import os; print(os.listdir('/'))") == "[]\n"


def test_flash_outlasts_a_killed_process(pico_firmware, tmp_path):
    flash = tmp_path / "flash"
    pico = open_device("virtual", flash=flash)
    pico.write_file("/here.txt", b"still")
    time.sleep(2)  # until it is idle and has saved
    pico._process.kill()
    pico.close()
    with open_device("virtual", flash=flash) as pico:
        assert pico.read_file("/here.txt") == b"still"


def test_images_are_put_into_flash(pico_firmware, tmp_path):
    (tmp_path / "rom.img").write_bytes(build_romfs({"model": RANDOM}))
    littlefs_image({"/hello.txt": b"from outside"}, tmp_path / "lfs.img")
    with open_device(
        "virtual",
        flash=tmp_path / "flash",
        romfs=tmp_path / "rom.img",
        littlefs=tmp_path / "lfs.img",
    ) as pico:
        assert pico.read_file("/rom/model") == RANDOM
        assert pico.read_file("/hello.txt") == b"from outside"


FAULTS = {
    "read of an unaligned word": ("int(ptr32(0x20000002)[0])", "not 32 bit aligned"),
    "read where nothing is": ("int(ptr32(0x30000000)[0])", "invalid memory address"),
}
STRICT_FAULTS = {
    "read of an unaligned half-word": ("int(ptr16(0x20000001)[0])", "unaligned address 20000001"),
    "write of an unaligned word": ("ptr32(0x20000002)[0] = 0", "unaligned address 20000002"),
    "write into flash": ("ptr8(0x10000000)[0] = 0", "write into flash at 10000000"),
}


@pytest.mark.parametrize("fault", [*FAULTS, *STRICT_FAULTS])
def test_what_faults_on_the_chip_is_reported(pico_firmware, tmp_path, fault):
    code, words = {**FAULTS, **STRICT_FAULTS}[fault]
    strict = fault in STRICT_FAULTS
    with open_device("virtual", flash=tmp_path / "flash", strict=strict) as pico:
        assert pico.eval("1 + 1") == 2
        with pytest.raises(DeviceError, match=f"HardFault: .*{words}"):
            pico.exec(f"@micropython.viper\ndef access():\n    {code}\naccess()")


def test_time_is_counted_in_cycles(virtual_pico):
    virtual_pico.reset()
    code = (
        "import time\n"
        "def loop():\n"
        "    start = time.ticks_us()\n"
        "    for i in range(2000): pass\n"
        "    return time.ticks_diff(time.ticks_us(), start)\n"
        "print([loop() for i in range(5)])\n"
    )
    times = eval(virtual_pico.exec(code))
    assert max(times) - min(times) <= 20  # microseconds, of some 6600
    assert virtual_pico.exec("time.sleep(30); print('slept')", timeout=20) == "slept\n"


class PicoProcess:
    """tools/virtual_pico.py with mpremote's command line beside it."""

    def __init__(self, *options):
        tool = paths.repository() / "tools/virtual_pico.py"
        self.process = subprocess.Popen(
            [sys.executable, tool, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        self.port = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.communicate(timeout=20)

    def mpremote(self, *arguments):
        command = [sys.executable, "-m", "mpremote", "connect", self.port, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_mpremote_connects_again_and_again_and_resets(pico_firmware, tmp_path):
    with PicoProcess("--flash", tmp_path / "flash") as pico:
        (tmp_path / "file.txt").write_text("content")
        assert pico.mpremote("cp", tmp_path / "file.txt", ":file.txt").returncode == 0
        assert pico.mpremote("exec", "print(1 + 1)").stdout == "2\n"
        assert pico.mpremote("resume", "exec", "alive = 1").returncode == 0
        assert pico.mpremote("reset").returncode == 0
        after = pico.mpremote("resume", "exec", "print('alive' in dir()); import machine")
        assert after.stdout == "False\n"
        assert pico.mpremote("cat", ":file.txt").stdout == "content"
    assert pico.process.returncode == 0


def test_the_virtual_pico_ends_with_its_parent(pico_firmware, tmp_path):
    tool = paths.repository() / "tools/virtual_pico.py"
    code = (
        "import os, subprocess, sys\n"
        f"p = subprocess.Popen([sys.executable, {str(tool)!r}, '--with-parent'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\n"
        "print(p.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    pytest.fail("it outlived its parent")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--board", "NO_BOARD"], "NO_BOARD/firmware.uf2 is not there: run `make firmware"),
        (["--romfs", "nowhere.img"], "nowhere.img: no such file"),
        (["--romfs", "large"], "want at most 262144 bytes"),
        (["--littlefs", "small"], "want 1310720 bytes"),
        (["--flash", "small"], "remove it to start with empty flash"),
        (["--uf2", "small"], "not a whole UF2 file"),
        (["--uf2", "zeros"], "not a UF2 file"),
    ],
)
def test_bad_options_are_one_line(pico_firmware, tmp_path, options, words):
    (tmp_path / "small").write_bytes(b"abc")
    (tmp_path / "large").write_bytes(bytes(300 * 1024))
    (tmp_path / "zeros").write_bytes(bytes(1024))
    tool = paths.repository() / "tools/virtual_pico.py"
    done = subprocess.run(
        [sys.executable, tool, *options], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


# Ports


def test_a_missing_port_is_named():
    with pytest.raises(DeviceError, match="/dev/ttyNONE: cannot open: no such port"):
        open_device("/dev/ttyNONE")
    with pytest.raises(DeviceError, match="cannot open: not a port or URL"):
        open_device("nonsense://here")
    with pytest.raises(DeviceError, match="cannot open"):
        open_device("socket://127.0.0.1:1")


@pytest.fixture
def echo_port():
    """A port with something on it that is no MicroPython: it answers each byte with itself."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)

    def echo():
        try:
            while data := os.read(ours, 100):
                os.write(ours, data.upper())
        except OSError:
            return

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    yield os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)
    thread.join(5)


def test_a_port_without_micropython_is_named(echo_port, monkeypatch):
    from host_sdk.board.devices import mpremote_port

    monkeypatch.setattr(mpremote_port, "ANSWER_SECONDS", 1)
    with pytest.raises(DeviceError, match=f"{echo_port}: no MicroPython answers"):
        open_device(echo_port)


def test_a_busy_port_is_named(echo_port):
    import serial

    with (
        serial.Serial(echo_port, exclusive=True),
        pytest.raises(DeviceError, match="another program uses it"),
    ):
        open_device(echo_port)


def test_a_board_that_goes_away_is_named(pico_firmware, tmp_path):
    with open_device("virtual", flash=tmp_path / "flash") as pico:
        pico._process.kill()
        with pytest.raises(DeviceError, match="the board is gone"):
            pico.exec("print(1)")


def test_a_missing_firmware_names_the_command(tmp_path):
    with pytest.raises(MotionletError, match="make firmware BOARD=NO_BOARD"):
        open_device("virtual", board="NO_BOARD")
    with pytest.raises(MotionletError, match="make firmware BOARD=unix"):
        open_device("unix", program=tmp_path / "none")


def test_auto_wants_one_board(monkeypatch):
    from host_sdk.board import devices

    boards = [
        devices.DeviceRecord(f"/dev/ttyACM{number}", "2e8a:0005", "Board", "") for number in (0, 1)
    ]
    monkeypatch.setattr(devices, "list_devices", lambda: boards)
    with pytest.raises(MotionletError, match=r"/dev/ttyACM0 \(Board\), /dev/ttyACM1 \(Board\)"):
        open_device("auto")
    monkeypatch.setattr(devices, "list_devices", lambda: boards[:1])
    with pytest.raises(DeviceError, match="/dev/ttyACM0: cannot open"):
        open_device("auto")
