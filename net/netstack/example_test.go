package netstack_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// Two boards on one cable, with static addresses.
func ExampleOpen() {
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	left, right := nictest.Pipe(nictest.WireOptions{})
	a, err := netstack.Open(ctx, left, netstack.Config{Address: netip.MustParsePrefix("192.168.1.1/24"), Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	b, err := netstack.Open(ctx, right, netstack.Config{Address: netip.MustParsePrefix("192.168.1.2/24"), Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	l, err := b.Listen(ctx, "tcp", ":7")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "hello "+c.RemoteAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Addr().String())
	}()
	c, err := a.DialContext(ctx, "tcp", "192.168.1.2:7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	fmt.Println(string(text), err)
	// Output: hello 192.168.1.1 <nil>
}
