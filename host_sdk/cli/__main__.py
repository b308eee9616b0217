"""`python -m host_sdk.cli` is the command `host_sdk`."""

from host_sdk.cli import main

main(prog_name="host_sdk")
