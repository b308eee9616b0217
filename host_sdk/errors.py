"""Errors that a user can act on. The command line prints them as one line and exits with 1."""


class MotionletError(Exception):
    """Something the user gave is wrong; the message says what, and what would be right."""


class DeviceError(MotionletError):
    """The device answered with an exception, or stopped answering.

    `traceback` holds the device's own words, or "" when there were none.
    """

    def __init__(self, message, traceback=""):
        super().__init__(message)
        self.traceback = traceback
