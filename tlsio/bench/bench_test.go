package bench

import (
	"syscall"
	"testing"
	"time"

	"ingot.dev/tlsio"
)

// BenchmarkThroughput is what TestFigureThroughput compares, for profiles.
func BenchmarkThroughput(b *testing.B) {
	for _, k := range []kind{bare, conns, classWrites, classReads} {
		b.Run(string(k), func(b *testing.B) {
			f := newFlow(b, k, tlsio.HostNetwork{})
			defer f.close()
			b.SetBytes(writeSize)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			if err := f.send(b.N * writeSize); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
