# Motionlet as a MicroPython user C module, for ports that build with make (unix, qemu, stm32).
#
#   MOTIONLET_ARCH    "portable", or the name of a directory in arch/ whose kernels are built in too;
#                     a model packed for that target runs on them, others on the portable ones.
#   MOTIONLET_OPT     how to optimise the core.
#   MOTIONLET_CONFIG  what of core/mlet_config.h to define: MLET_CONFIG_CORE, MLET_WITH_INT4=1 ...

MOTIONLET_ARCH ?= portable
MOTIONLET_OPT ?= -O2

MOTIONLET_DIR := $(USERMOD_DIR)
MOTIONLET_BUILD := $(BUILD)/$(notdir $(USERMOD_DIR))
MOTIONLET_CORE := $(wildcard $(MOTIONLET_DIR)/core/*.c)

ifneq ($(MOTIONLET_ARCH),portable)
MOTIONLET_TUNED_DIR := $(MOTIONLET_DIR)/arch/$(MOTIONLET_ARCH)
ifeq ($(wildcard $(MOTIONLET_TUNED_DIR)/.),)
$(error MOTIONLET_ARCH=$(MOTIONLET_ARCH): no such directory in arch/)
endif
MOTIONLET_TUNED := $(wildcard $(MOTIONLET_TUNED_DIR)/*.c)
# Some are named as a C file is, so their objects are named otherwise, and there are rules below.
PY_O += $(patsubst $(MOTIONLET_DIR)/%, $(MOTIONLET_BUILD)/%.o, $(wildcard $(MOTIONLET_TUNED_DIR)/*.S))
CFLAGS_USERMOD += -I$(MOTIONLET_TUNED_DIR) \
    -DMLET_TARGET=MLET_TARGET_$(shell echo $(MOTIONLET_ARCH) | tr a-z A-Z)
endif

MOTIONLET_BINDING := $(wildcard $(MOTIONLET_DIR)/binding/*.h)
SRC_USERMOD_C += $(MOTIONLET_DIR)/modmotionlet.c
SRC_USERMOD_LIB_C += $(MOTIONLET_CORE) $(MOTIONLET_TUNED)
CFLAGS_USERMOD += -I$(MOTIONLET_DIR)/core $(addprefix -D,$(MOTIONLET_CONFIG))
QSTR_GLOBAL_DEPENDENCIES += $(MOTIONLET_BINDING) # else a name that is new there is not found

$(MOTIONLET_BUILD)/core/%.o $(MOTIONLET_BUILD)/arch/%.o: CFLAGS += $(MOTIONLET_OPT) -Wall -Wextra -Werror
$(MOTIONLET_BUILD)/arch/%.o: $(MOTIONLET_DIR)/arch/%.c
	$(call compile_c)
$(MOTIONLET_BUILD)/arch/%.S.o: $(MOTIONLET_DIR)/arch/%.S
	$(ECHO) "CC $<"
	$(Q)$(MKDIR) -p $(@D)
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<
$(MOTIONLET_BUILD)/modmotionlet.o: CFLAGS += -Wall -Wextra -Wno-unused-parameter -Werror
