#!/bin/sh
# Installs programs that are missing, and says so; on a system without apt it says
# what to install. Usage: tools/install.sh PROGRAM[:DEBIAN-PACKAGE]...
set -eu

programs= packages=
for wanted in "$@"; do
	program=${wanted%%:*}
	command -v "$program" >/dev/null 2>&1 && continue
	programs="$programs $program"
	packages="$packages ${wanted##*:}"
done
programs=${programs# } packages=${packages# }
if [ -z "$programs" ]; then
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing: $programs, and there is no apt-get to install it with." >&2
	case $programs in *qemu*)
		echo "Install QEMU 7.2 or later with its 32-bit Arm system emulator. The package is called" >&2
		echo "qemu-system-arm (Fedora, Arch), qemu-arm (openSUSE), qemu (Homebrew, MacPorts)." >&2
	esac
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "missing: $programs. As root: apt-get install $packages" >&2
		exit 1
	fi
	as_root=sudo
fi
echo "missing: $programs; installing with ${as_root:+$as_root }apt-get install $packages" >&2
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
