package kernel

import "unsafe"

// The few texts that a program finds under /proc and /sys. They are written anew
// at every read.
const (
	textMeminfo = iota
	textStats
	textDevice0 // + 8 * device + one of:

	textName    = 0
	textRegs    = 1
	textSize    = 2
	textDMA     = 3
	textDMASize = 4
)

func (k *Kernel) findText(p []byte) int16 {
	if isPath(p, "/proc/meminfo") {
		return textMeminfo
	}
	if isPath(p, "/proc/ingot") {
		return textStats
	}
	const uio = "/sys/class/uio/uio"
	if !hasPrefix(p, uio) {
		return -1
	}
	d, rest := index(p[len(uio):])
	if d < 0 || d >= k.ndevices {
		return -1
	}
	base := textDevice0 + int16(d)*8
	switch {
	case isPath(rest, "/name"):
		return base + textName
	case isPath(rest, "/maps/map0/addr"):
		return base + textRegs
	case isPath(rest, "/maps/map0/size"):
		return base + textSize
	}
	if k.devices[d].dmaLen > 0 {
		switch {
		case isPath(rest, "/maps/map1/addr"):
			return base + textDMA
		case isPath(rest, "/maps/map1/size"):
			return base + textDMASize
		}
	}
	return -1
}

func (k *Kernel) readText(f *file, buf, n uint32) int32 {
	var b textBuffer
	k.writeText(&b, f.object)
	if f.offset >= b.n {
		return 0
	}
	n = min(n, b.n-f.offset)
	if !k.copyOut(buf, unsafe.Pointer(&b.text[f.offset]), n) {
		return EFAULT
	}
	f.offset += n
	return int32(n)
}

func (k *Kernel) writeText(b *textBuffer, text int16) {
	switch text {
	case textMeminfo:
		f := &k.frames
		total := (f.end - f.first) >> pageShift
		b.field("MemTotal:       ", total*4, " kB\n")
		b.field("MemFree:        ", (total-f.used)*4, " kB\n")
		b.field("CommitLimit:    ", f.limit*4, " kB\n")
		b.field("Committed_AS:   ", f.committed*4, " kB\n")
		return
	case textStats:
		s := &k.stats
		b.field("syscalls ", s.Syscalls, "\n")
		b.field("unknown ", s.Unknown, "\n")
		b.field("interrupts ", s.Interrupts, "\n")
		b.field("timers ", s.Timers, "\n")
		b.field("faults ", s.PageFaults, "\n")
		b.field("signals ", s.Signals, "\n")
		b.field("switches ", s.Switches, "\n")
		b.field("idles ", s.Idles, "\n")
		b.field("wakeups ", s.Wakeup, "\n")
		b.field("threads ", uint32(k.live), "\n")
		b.wide("uptime_ns ", k.nanoseconds(k.now()), "\n")
		b.wide("idle_ns ", k.nanoseconds(s.IdleTicks), "\n")
		return
	}
	d := &k.devices[(text-textDevice0)>>3]
	switch (text - textDevice0) & 7 {
	case textName:
		for i := 0; i < len(d.name) && d.name[i] != 0; i++ {
			b.byte(d.name[i])
		}
		b.byte('\n')
	case textRegs:
		b.hexLine(d.regs)
	case textSize:
		b.hexLine(d.size)
	case textDMA:
		b.hexLine(d.dma)
	case textDMASize:
		b.hexLine(d.dmaLen)
	}
}

// Comparing strings with == is a call into the runtime, so paths are compared
// here.
func isPath(p []byte, s string) bool { return len(p) == len(s) && hasPrefix(p, s) }

func hasPrefix(p []byte, s string) bool {
	if len(p) < len(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if p[i] != s[i] {
			return false
		}
	}
	return true
}

// index reads a decimal number below 100 at the start of p; -1 if there is none.
func index(p []byte) (int32, []byte) {
	n, i := int32(0), 0
	for ; i < len(p) && i < 2 && p[i] >= '0' && p[i] <= '9'; i++ {
		n = n*10 + int32(p[i]-'0')
	}
	if i == 0 || i == 2 && p[0] == '0' {
		return -1, nil
	}
	return n, p[i:]
}
