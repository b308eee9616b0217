# Motionlet as a MicroPython user C module, for ports that build with make (unix, qemu, stm32).
#
#   MOTIONLET_ARCH  "portable", or the name of a directory in arch/: each of its files takes the
#                   place of the file in core/ that has the same name.
#   MOTIONLET_OPT   how to optimise the core.

MOTIONLET_ARCH ?= portable
MOTIONLET_OPT ?= -O2

MOTIONLET_DIR := $(USERMOD_DIR)
MOTIONLET_CORE := $(wildcard $(MOTIONLET_DIR)/core/*.c)

ifneq ($(MOTIONLET_ARCH),portable)
MOTIONLET_TUNED_DIR := $(MOTIONLET_DIR)/arch/$(MOTIONLET_ARCH)
ifeq ($(wildcard $(MOTIONLET_TUNED_DIR)/.),)
$(error MOTIONLET_ARCH=$(MOTIONLET_ARCH): no such directory in arch/)
endif
MOTIONLET_TUNED := $(wildcard $(MOTIONLET_TUNED_DIR)/*.c)
MOTIONLET_TUNED_ASM := $(wildcard $(MOTIONLET_TUNED_DIR)/*.S)
MOTIONLET_CORE := $(filter-out $(patsubst %,$(MOTIONLET_DIR)/core/%.c,\
    $(basename $(notdir $(MOTIONLET_TUNED) $(MOTIONLET_TUNED_ASM)))),$(MOTIONLET_CORE))
endif

SRC_USERMOD_C += $(MOTIONLET_DIR)/modmotionlet.c
SRC_USERMOD_LIB_C += $(MOTIONLET_CORE) $(MOTIONLET_TUNED)
SRC_USERMOD_LIB_ASM += $(MOTIONLET_TUNED_ASM)
CFLAGS_USERMOD += -I$(MOTIONLET_DIR)/core

$(BUILD)/motionlet/core/%.o $(BUILD)/motionlet/arch/%.o: CFLAGS += $(MOTIONLET_OPT) -Wall -Wextra -Werror
$(BUILD)/motionlet/modmotionlet.o: CFLAGS += -Wall -Wextra -Wno-unused-parameter -Werror
