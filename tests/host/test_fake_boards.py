"""Every fake board ends a command soon, with one line and an exit status."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_boards import BOARDS, MOST_SECONDS, Board, Case, outcome

LIMITS = ("--silence", "5", "--timeout", "8")

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


def test_a_board_that_answers_rightly_gets_the_model(model):
    _, status, out, error = outcome(Case(Board), model, *LIMITS)
    assert status == 0, error
    assert json.loads(out)["path"] == "/m.mlet"


def fault_of(name, model):
    """Return what is wrong with how a command ends on a board; None if nothing is."""
    _, status, out, error = outcome(BOARDS[name], model, *LIMITS)
    if status is None:
        return f"{name}: it hangs after {MOST_SECONDS} s"
    is_line = error.startswith("error: ") and error.count("\n") == 1
    is_right = is_line and error.strip().isprintable() and WORDS.get(name, "") in error
    return None if (status, out, is_right) == (1, "", True) else f"{name}: {status}, {out}{error}"


def test_every_fake_board_gives_one_line(model):
    assert set(BOARDS) >= set(WORDS)
    with ThreadPoolExecutor(4) as pool:  # they wait, most of the time
        faults = list(pool.map(lambda name: fault_of(name, model), BOARDS))
    assert [fault for fault in faults if fault] == []
