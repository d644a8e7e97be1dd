//go:build !imx6ulevk

package ntp_test

import (
	"context"
	"fmt"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/ntp"
)

// One request runs at a time.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		client, err := ntp.New(app, ntp.Options{Servers: []string{"127.0.0.1"}})
		if err != nil {
			panic(err)
		}
		client.GetTime(func(err error, ms int64) { /* set a clock by it */ })
		fmt.Println(client.GetTime(func(error, int64) {}))
		client.Close()
		stop()
	})
	app.Run(ctx)
	// Output: tlsio: GetTime: connect: ntp: a request is running; wait for its callback
}
