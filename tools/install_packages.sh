#!/bin/sh
# Make sure that the programs Motionlet builds with are here.
#
#   tools/install_packages.sh              what a build cannot do without
#   tools/install_packages.sh for-tests    what lets more tests run: libFuzzer, QEMU, RISC-V
#
# As root on Debian or Ubuntu, missing packages are installed; anyone else is told their names.
set -eu

missing=""

need() { # program, package
    command -v "$1" > /dev/null 2>&1 || missing="$missing $2"
}

need_file() { # path, which may hold wildcards; packages
    # shellcheck disable=SC2086
    ls $1 > /dev/null 2>&1 || missing="$missing $2"
}

if [ "${1:-}" = for-tests ]; then
    need clang clang
    need_file "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a" libclang-rt-dev
    need riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
    need_file /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs picolibc-riscv64-unknown-elf
    need qemu-system-arm qemu-system-arm
    need qemu-system-riscv32 qemu-system-misc
else
    need gcc gcc
    need cmake cmake
    need arm-none-eabi-gcc gcc-arm-none-eabi
    need dpkg-source dpkg-dev
    need xz xz-utils
    need bzip2 bzip2
    need_file "/usr/include/stdio.h" libc6-dev
    need_file /usr/lib/arm-none-eabi/newlib/libc.a libnewlib-arm-none-eabi
    need_file /usr/lib/arm-none-eabi/newlib/libstdc++.a libstdc++-arm-none-eabi-newlib
    "${PYTHON:-python3}" -c "import ensurepip, venv" 2> /dev/null || missing="$missing python3-venv"
fi

[ "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
    echo "Installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $missing
elif [ "${1:-}" = for-tests ]; then
    echo "More tests would run with: apt-get install$missing" >&2
elif command -v apt-get > /dev/null 2>&1; then
    echo "error: not root; please run: sudo apt-get install$missing" >&2
    exit 1
else
    echo "error: please install what Debian calls:$missing" >&2
    exit 1
fi
