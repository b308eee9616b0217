"""Every fake board ends a command soon, with one line and an exit status."""

import json
import threading
import time

import pytest
from click.testing import CliRunner
from fake_boards import BOARDS, MOST_SECONDS, Board, Case, command

from host_sdk.cli import main

LIMITS = ("--silence", "3", "--timeout", "5")

# What the line has to say, where a board leaves no doubt.
WORDS = {
    "silent": "no MicroPython answers",
    "echo": "no MicroPython answers",
    "boots again and again": "restarts again and again",
    "OK, then silence": "does not stop; reset the board",
    "restarts while a program runs": "the board restarted (machine.reset_cause() is 1)",
    "an ESP32 restarted by its watchdog": "the board restarted, by a watchdog",
    "has left the raw REPL": "the board restarted, by a watchdog",
    "unplugged": "the board is gone",
    "a full file system": "no room for /m.mlet",
    "a file system to be read only": "its file system can only be read",
    "a name that is too long": "the name is too long for its file system",
    "terminal codes in an error": r"\x1b]0;owned\x07\x1b[2JOSError: 5 (its storage cannot be",
    "CircuitPython": "runs circuitpython, not MicroPython",
    "MicroPython 1.19": "loads .mpy files of version 6.0",
    "another CRC": "differs from what was sent",
    "a number for a module": "answers '42', which makes no sense here",
}


@pytest.fixture
def model(tmp_path, tiny):
    (tmp_path / "m.mlet").write_bytes(tiny[1])
    return tmp_path / "m.mlet"


def end_of(case, model):
    """Run the command of a case in a thread; return (seconds, click's result)."""
    fake, ends = case.kind(), []

    def run():
        ends.append(CliRunner().invoke(main, [*command(case, fake.port, model), *LIMITS]))

    thread = threading.Thread(target=run, daemon=True)
    begin = time.monotonic()
    thread.start()
    thread.join(MOST_SECONDS)
    fake.close()
    assert ends, f"it hangs after {MOST_SECONDS} s"
    return time.monotonic() - begin, ends[0]


def test_a_board_that_answers_rightly_gets_the_model(model, tiny):
    _, result = end_of(Case(Board), model)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["path"] == "/m.mlet"


@pytest.mark.parametrize("name", BOARDS)
def test_a_fake_board_gives_one_line(name, model):
    seconds, result = end_of(BOARDS[name], model)
    assert isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.strip().isprintable()
    assert WORDS.get(name, "") in result.stderr
    assert seconds < MOST_SECONDS
