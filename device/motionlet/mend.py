"""What an update that lost power half-way has left; `load` looks here for a file that is missing.

deploy (host_sdk/board) runs this same code to write the first block of a ROMFS.
"""

import os

import vfs

COPY = "/_mlet_romfs"  # of the first block, from before that is erased until it is whole
MAGIC = b"\xd2\xcd\x31"


def open_left(path):
    if path.startswith("/rom/"):
        mend()
        return open(path, "rb")
    return open(path + ".new", "rb")  # FAT's rename removes the old file first


def mend():
    """Write the first block of the ROMFS from its copy, unless it is whole; mount it at /rom."""
    rom = vfs.rom_ioctl(2, 0)
    if memoryview(rom)[:3] == MAGIC:
        raise OSError(2)
    with open(COPY, "rb") as file:
        block = bytearray(file.read())
    write_first(rom, block)
    vfs.mount(vfs.VfsRom(rom), "/rom")
    os.remove(COPY)


def write_first(rom, block):
    """Write the first block: its magic goes first and comes last, so no half of one is mounted."""
    page = bytearray(b"\xff" * 256)
    page[:3] = bytes(3)
    rom.writeblocks(0, page, 0)
    rom.ioctl(6, 0)
    page[:3] = MAGIC
    block[:3] = b"\xff\xff\xff"
    rom.writeblocks(0, block, 0)
    rom.writeblocks(0, page, 0)
