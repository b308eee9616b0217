"""Boards and what is done with them: devices, deploy, install, flash, ROMFS, verify."""
