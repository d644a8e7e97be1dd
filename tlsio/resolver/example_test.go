//go:build !imx6ulevk

package resolver_test

import (
	"context"
	"fmt"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/resolver"
)

// An address is answered as itself, in the loop like all callbacks; a name would
// be looked up at the servers.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	app := tlsio.NewApp(tlsio.HostNetwork{})
	app.Post(func() {
		dns, err := resolver.New(app, resolver.Options{Servers: []string{"192.0.2.53"}})
		if err != nil {
			panic(err)
		}
		dns.Resolve("2001:db8::80", func(err error, address, host string) {
			fmt.Println(host, "is", address)
			dns.Close()
			stop()
		})
	})
	app.Run(ctx)
	// Output: 2001:db8::80 is 2001:0db8:0000:0000:0000:0000:0000:0080
}
