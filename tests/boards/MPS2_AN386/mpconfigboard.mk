# QEMU's mps2-an386: a Cortex-M4 with floats.
#
# A board of MicroPython's qemu port, to try the native module for armv7emsp.

QEMU_ARCH = arm
QEMU_MACHINE = mps2-an386

CFLAGS += -mthumb -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard
CFLAGS += -DQEMU_SOC_MPS2
CFLAGS += -DMICROPY_HW_MCU_NAME='"Cortex-M4"'
# Switch the floats on: CPACR, coprocessors 10 and 11.
CFLAGS += -DMICROPY_PORT_INIT_FUNC='(*(volatile uint32_t *)0xe000ed88 |= 0xf << 20)'

LDSCRIPT = mcu/arm/mps2.ld

SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o

MPY_CROSS_FLAGS += -march=armv7emsp
