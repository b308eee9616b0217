# For the Makefile of a native module that extends `_motionlet` (binding/extension.h):
#
#   MOD = _motionlet_detect
#   SRC = detect.c
#   MPY_DIR = …/micropython
#   include …/native_modules/motionlet/extension.mk
#
# and `make ARCH=armv6m`, or x64, xtensawin and the others of MicroPython's dynruntime.mk.

MOTIONLET_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
CFLAGS += -I$(MOTIONLET_DIR)/core -I$(MOTIONLET_DIR)/binding
# No calls of a C library, which is not there, in place of loops.
CFLAGS += -fno-tree-loop-distribute-patterns

include $(MPY_DIR)/py/dynruntime.mk

# The names of Python in it.
$(CONFIG_H): $(MOTIONLET_DIR)/binding/extension.h
