#!/bin/sh
# Make sure that the programs Motionlet builds with are here.
#
# As root on Debian or Ubuntu, missing packages are installed; anyone else is told their names.
set -eu

# program or file that shows it is there : package
needs="
gcc:gcc
cmake:cmake
arm-none-eabi-gcc:gcc-arm-none-eabi
dpkg-source:dpkg-dev
xz:xz-utils
bzip2:bzip2
git:git
"

missing=""
for need in $needs; do
    command -v "${need%%:*}" > /dev/null 2>&1 || missing="$missing ${need##*:}"
done
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
for specs in /usr/lib/arm-none-eabi/newlib /usr/lib/arm-none-eabi/include/newlib.h; do
    [ ! -e "$specs" ] || found_newlib=1
done
[ "${found_newlib:-}" ] || missing="$missing libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib"
"${PYTHON:-python3}" -c "import ensurepip, venv" 2> /dev/null || missing="$missing python3-venv"

[ "$missing" ] || exit 0
if ! command -v apt-get > /dev/null 2>&1; then
    echo "error: please install what Debian calls:$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "error: not root; please run: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing
