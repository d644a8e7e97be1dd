package qemu

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// isolate puts QEMU in a process group of its own, so that the terminal's
// Ctrl-C reaches us and not it, and has the kernel kill it when we die.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// CPUTime returns the processor time that QEMU has used, in user and system
// mode together, to 10 ms.
func (m *Machine) CPUTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.PID()))
	if err != nil {
		return 0, fmt.Errorf("qemu: %w", err)
	}
	return parseStat(stat)
}

// parseStat takes utime and stime, fields 14 and 15 of proc(5)'s stat. Field 2
// is the program's name in parentheses and may hold spaces, so counting starts
// behind it. The unit is USER_HZ, which is 100 on every architecture Go knows.
func parseStat(stat []byte) (time.Duration, error) {
	const userHZ = 100
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("qemu: %q is not a process status", stat)
	}
	var ticks uint64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("qemu: %q is not a process status: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / userHZ), nil
}
