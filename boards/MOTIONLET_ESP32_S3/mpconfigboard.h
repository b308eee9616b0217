// ESP32-S3 with Motionlet and a ROMFS for models.
#ifndef MICROPY_HW_BOARD_NAME // a variant has its own
#define MICROPY_HW_BOARD_NAME "Motionlet ESP32-S3"
#endif
#define MICROPY_HW_MCU_NAME "ESP32S3"

// For modules with a USB-UART chip; native USB works beside it.
#define MICROPY_HW_ENABLE_UART_REPL (1)

// In the partition `romfs`.
#define MICROPY_VFS_ROM (1)
