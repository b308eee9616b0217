"""The ESP32-S3's vector unit: its assembler."""

import re
import subprocess

import pytest
import toolchains

# As other assemblers for the chip encode these, the lowest byte first.
ENCODED = {
    "ee.vld.128.ip q0, a2, 16": "24 01 83",
    "ee.vst.128.ip q3, a6, -816": "64 cd da",
    "ee.vst.128.xp q6, a12, a14": "c4 7e bd",
    "ee.srcmb.s8.qacc q4, a1, 1": "14 7e ed",
    "ee.vsmulas.s8.qacc.ld.incp q1, a8, q1, q1, 4": "8e 4c aa e0",
    "ee.zero.qacc": "44 08 25",
    "ee.zero.accx": "04 08 25",
    "rur.accx_0 a5": "00 50 e3",
    "wur.accx_0 a5": "50 00 f3",
}
REFUSED = {
    "ee.vld.128.ip q8, a2, 16": "register number out of range",
    "ee.vld.128.ip q0, a2, 8": "operand 3 of 'ee.vld.128.ip' has invalid value '8'",
    "ee.vld.128.ip q0, a2, 2048": "operand 3 of 'ee.vld.128.ip' has invalid value '2048'",
    "ee.vmulas.s8.accx.ld.ip q0, a2, 512, q1, q2": "has invalid value '512'",
}


def assemble(folder, text):
    """Assemble a text; return what is left of the program, and the folder of the tools."""
    tools = toolchains.need_xtensa()
    (folder / "a.S").write_text(text + "\n")
    command = [tools / "xtensa-esp32s3-elf-gcc", "-c", "a.S"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True), tools


def test_instructions_are_encoded_as_elsewhere(tmp_path):
    done, tools = assemble(tmp_path, "\n".join(ENCODED))
    assert not done.returncode, done.stderr
    out = tmp_path / "text"
    command = [tools / "xtensa-esp32s3-elf-objcopy", "-O", "binary", "-j", ".text", "a.o", out]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert out.read_bytes() == bytes.fromhex("".join(ENCODED.values()))
    command = [tools / "xtensa-esp32s3-elf-objdump", "-d", "a.o"]
    code = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"\t((?:ee|rur|wur)\.\S+)", code)
    assert found == [line.split()[0] for line in ENCODED]


@pytest.mark.parametrize("line", REFUSED)
def test_what_has_no_encoding_is_refused(tmp_path, line):
    done, _ = assemble(tmp_path, line)
    assert done.returncode
    assert REFUSED[line] in done.stderr
