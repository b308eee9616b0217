# An ESP32-S3 with 8 MB of flash, with Motionlet and a ROMFS for models. PSRAM is quad or none,
# found at start; the variant SPIRAM_OCT takes octal PSRAM.
set(IDF_TARGET esp32s3)

# Kernels for this core; models packed for any target run on the portable ones.
set(MOTIONLET_ARCH esp32s3)

# The partition table lies here and not in the port, so the IDF wants its full path.
set(MOTIONLET_SDKCONFIG ${CMAKE_BINARY_DIR}/sdkconfig.partitions)
set(MOTIONLET_PARTITIONS ${MICROPY_BOARD_DIR}/partitions-8MiB-romfs.csv)
file(WRITE ${MOTIONLET_SDKCONFIG}
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MOTIONLET_PARTITIONS}\"\n"
)

set(SDKCONFIG_DEFAULTS
    boards/sdkconfig.base
    boards/sdkconfig.usb
    boards/sdkconfig.ble
    boards/sdkconfig.240mhz
    boards/sdkconfig.spiram_sx
    ${MICROPY_BOARD_DIR}/sdkconfig.board
    ${MOTIONLET_SDKCONFIG}
)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
