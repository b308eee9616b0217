"""Flashing: everything but the board itself."""

import pytest

from host_sdk.board import flash
from host_sdk.errors import MotionletError


@pytest.fixture
def drive(tmp_path):
    """What a Pico in its bootloader mounts."""
    folder = tmp_path / "RPI-RP2"
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(
        "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
    )
    return folder


def test_a_uf2_is_copied_whole(pico_firmware, drive):
    assert str(drive) in flash.flash_uf2(pico_firmware, drive)
    copied = [path for path in drive.iterdir() if path.suffix == ".uf2"]
    assert [path.read_bytes() for path in copied] == [pico_firmware.read_bytes()]


def test_another_drive_is_left_alone(pico_firmware, tmp_path):
    with pytest.raises(MotionletError, match="not the drive of an RP2040"):
        flash.flash_uf2(pico_firmware, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_board_says_what_to_do(pico_firmware, monkeypatch):
    monkeypatch.setattr(flash, "find_bootsel_drives", list)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MotionletError, match="hold BOOTSEL while you plug the board in"):
        flash.flash_uf2(pico_firmware, wait=0)


def test_what_is_no_uf2_for_this_chip_is_refused(pico_firmware, drive, tmp_path):
    other = tmp_path / "other.uf2"
    other.write_bytes(b"\x7fELF" + bytes(508))
    with pytest.raises(MotionletError, match="is not a UF2 file"):
        flash.flash_uf2(other, drive)
    changed = bytearray(pico_firmware.read_bytes())
    changed[28:32] = (0xE48BFF59).to_bytes(4, "little")  # an RP2350's family
    other.write_bytes(changed)
    with pytest.raises(MotionletError, match="family e48bff59, an RP2040 takes e48bff56"):
        flash.flash_uf2(other, drive)
    with pytest.raises(MotionletError, match="No such file"):
        flash.flash_uf2(tmp_path / "none.uf2", drive)
    assert [path.name for path in drive.iterdir()] == ["INFO_UF2.TXT"]
