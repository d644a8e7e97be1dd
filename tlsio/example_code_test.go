//go:build !imx6ulevk

package tlsio_test

import (
	"context"
	"fmt"
	"time"

	"ingot.dev/tlsio"
)

// A number for each failure.
func ExampleError_Code() {
	ctx := context.Background()
	cert, key := tlsio.SelfSigned("sensor.test", time.Now().Add(-time.Hour))
	other, _ := tlsio.SelfSigned("sensor.test", time.Now().Add(-2*time.Hour))
	ln, err := tlsio.Listen(ctx, tlsio.HostNetwork{}, "127.0.0.1:0", tlsio.TLSOptions{
		ServerCertificate: [][]byte{cert}, ServerKey: [][]byte{key},
	})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	tomorrow := func() time.Time { return time.Now().Add(48 * time.Hour) }
	for _, o := range []tlsio.TLSOptions{
		{Host: "other.test", CA: [][]byte{cert}},
		{Host: "sensor.test", CA: [][]byte{other}},
		{Host: "sensor.test", CA: [][]byte{cert}, Now: tomorrow},
		{Host: "sensor.test", CA: [][]byte{cert}, MinimumVersion: "SSLv3"},
	} {
		_, err := tlsio.Dial(ctx, tlsio.HostNetwork{}, ln.Addr().String(), o)
		e := err.(*tlsio.Error)
		fmt.Println(e.Code(), e.Stage, e.Alert.Number)
	}
	// Output:
	// 402 verify 42
	// 405 verify 42
	// 406 verify 42
	// 100 options 0
}
