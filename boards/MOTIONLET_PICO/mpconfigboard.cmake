# Raspberry Pi Pico with Motionlet and a ROMFS for models.
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

# Kernels for this core; models packed for any target run on the portable ones.
set(MOTIONLET_ARCH cortex_m0plus)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)

# From MicroPython 1.29 on these are CMake's, which tells the linker and the code; before, and where
# they are not given, mpconfigboard.h says the same.
set(MICROPY_HW_ROMFS_BYTES 262144)
set(MICROPY_HW_FLASH_STORAGE_BYTES 1310720)
