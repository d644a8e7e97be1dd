// Package decode explains what a firmware's console shows of a crash. Go's tracebacks
// have names and lines already, also in images without symbols; other addresses have
// not: the one of a signal, the registers after a fatal one, and what the kernel
// reports when it ends the program or finds a bug of its own.
//
//	t, err := decode.Open("sensor.elf")
//	for line := range lines {
//		for _, note := range t.Explain(line) { ... }
//	}
package decode
