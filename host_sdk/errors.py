"""Errors that a user can act on. The command line prints them as one line and exits with 1."""

import re
import sys

# What steers a terminal, is not seen, or turns the direction of what follows; half characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text):
    """Return a text from who knows where as it can be shown: an escape character as \\x1b.

    Lines stay lines.
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def on_one_line(text):
    """The same, with the ends of lines shown as \\n: for a name among other words."""
    return printable(text).replace("\n", "\\n")


class MotionletError(Exception):
    """Something the user gave is wrong; the message says what, and what would be right."""


class DeviceError(MotionletError):
    """The device answered with an exception, or stopped answering.

    `traceback` holds the device's own words, or "" when there were none.
    """

    def __init__(self, message, traceback=""):
        super().__init__(message)
        self.traceback = traceback


def run_main(main):
    """Run `main()` as a program: print a MotionletError as one line and exit with 1."""
    try:
        sys.exit(main())
    except MotionletError as error:
        sys.exit(f"error: {printable(str(error))}")
    except KeyboardInterrupt:
        sys.exit(130)
