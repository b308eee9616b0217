# A stand-in for ulab in tests, where ULAB_DIR names none, built as ulab is.
SRC_USERMOD_C += $(USERMOD_DIR)/ulab.c
CFLAGS_USERMOD += -I$(USERMOD_DIR)
override CFLAGS_EXTRA += -DMODULE_ULAB_ENABLED=1
