#!/bin/sh
# Installs the emulator if it is missing, and says so; on a system without apt
# it says what to install.
set -eu

program=qemu-system-arm
package=qemu-system-arm

if command -v "$program" >/dev/null 2>&1; then
	exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "$program is missing, and there is no apt-get to install it with." >&2
	echo "Install QEMU 7.2 or later with its 32-bit Arm system emulator. The package is called" >&2
	echo "qemu-system-arm (Fedora, Arch), qemu-arm (openSUSE), qemu (Homebrew, MacPorts)." >&2
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "$program is missing. As root: apt-get install $package" >&2
		exit 1
	fi
	as_root=sudo
fi
echo "$program is missing: installing it with ${as_root:+$as_root }apt-get install $package" >&2
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
