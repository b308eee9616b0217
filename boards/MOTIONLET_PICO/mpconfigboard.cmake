# Raspberry Pi Pico with Motionlet and a ROMFS for models.
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

# Kernels for this core; models packed for any target run on the portable ones.
set(MOTIONLET_ARCH cortex_m0plus)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
