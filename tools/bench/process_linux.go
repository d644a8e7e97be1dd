package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on
// every architecture that Linux runs QEMU on.
const clockTick = time.Second / 100

// processTime returns the processor time that a process has taken so far.
func processTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(stat)
}

// parseStat takes utime and stime, fields 14 and 15, from proc_pid_stat(5). The
// second field, the name, is in parentheses and may contain anything.
func parseStat(stat []byte) (time.Duration, error) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, fmt.Errorf("no process status: %q", stat)
	}
	fields := bytes.Fields(stat[i+1:])
	var ticks uint64
	for n := 14; n <= 15; n++ {
		if len(fields) <= n-3 {
			return 0, fmt.Errorf("no process status: %q", stat)
		}
		v, err := strconv.ParseUint(string(fields[n-3]), 10, 63)
		if err != nil {
			return 0, fmt.Errorf("process status: %w", err)
		}
		ticks += v
	}
	return time.Duration(ticks) * clockTick, nil
}
