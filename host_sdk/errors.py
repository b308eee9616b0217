"""Errors that a user can act on. The command line prints them as one line and exits with 1."""

import sys


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
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
