// Raspberry Pi Pico with Motionlet and a ROMFS for models.
#define MICROPY_HW_BOARD_NAME "Motionlet Pico"

// 2 MB of flash: 512 KiB for firmware, then the ROMFS, then the file system.
#ifndef MICROPY_HW_ROMFS_BYTES // from mpconfigboard.cmake
#define MICROPY_HW_ROMFS_BYTES (256 * 1024)
#endif
#ifndef MICROPY_HW_FLASH_STORAGE_BYTES
#define MICROPY_HW_FLASH_STORAGE_BYTES (1280 * 1024)
#endif
