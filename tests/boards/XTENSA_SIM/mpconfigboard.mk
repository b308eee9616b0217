# QEMU's `-M sim -cpu de233_fpu`: a core with windowed registers and floats, as the ESP32-S3 has.
#
# A board of MicroPython's qemu port, to try the native module for xtensawin: QEMU has no ESP32-S3.

QEMU_ARCH = xtensa
QEMU_MACHINE = sim

CFLAGS += -DMICROPY_HW_MCU_NAME='"de233_fpu"'
CFLAGS += -DMP_CONFIGFILE='<$(BOARD_DIR)/mpconfigboard.h>'

XTENSA_SIM_DIR = $(BOARD_DIR)/../../../tools/xtensa_sim
LDSCRIPT = $(BOARD_DIR)/sim.ld
LDFLAGS += -nostdlib -Wl,--no-warn-rwx-segments -Wl,-z,noexecstack

SRC_BOARD = $(addprefix $(BOARD_DIR)/, board.c runtime.c setjmp.S) $(addprefix $(XTENSA_SIM_DIR)/, start.S pie/pie.c)
SRC_BOARD_O += $(addsuffix .o, $(basename $(SRC_BOARD)))
SRC_BOARD_O += shared/runtime/gchelper_generic.o

# It runs inside an exception, as pie.c says.
%/pie/pie.o: CFLAGS += -mabi=call0 -fno-branch-count-reg -fno-tree-loop-distribute-patterns

MPY_CROSS_FLAGS += -march=xtensawin

MOTIONLET_ARCH ?= esp32s3
