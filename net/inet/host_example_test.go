//go:build !imx6ulevk

package inet_test

import (
	"context"
	"fmt"
	"io"

	"ingot.dev/net/inet"
)

func ExampleHost() {
	ctx := context.Background()
	n := inet.Host()
	l, err := n.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, "the same on a board")
		c.Close()
	}()
	c, err := n.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	text, _ := io.ReadAll(c)
	fmt.Println(string(text))
	// Output: the same on a board
}
