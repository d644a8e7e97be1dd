//go:build !imx6ulevk

package tlsio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"ingot.dev/tlsio"
)

// A program accounts for what it queues on behalf of a connection, and does without
// when there is no room.
func ExampleBudget() {
	budget := tlsio.NewBudget(64 << 10)
	budget.LimitConnection(20 << 10)

	account, err := budget.Account(4 << 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(account.Reserve(tlsio.BudgetQueues, 10<<10))
	fmt.Println(errors.Is(account.Reserve(tlsio.BudgetQueues, 10<<10), tlsio.ErrBudget))
	report := budget.Report()
	fmt.Println(report.Used, "used,", report.Queues, "of it in queues,", report.Denied, "denied")

	account.Close()
	fmt.Println(budget.Report().Used, "used")
	// Output:
	// <nil>
	// true
	// 14336 used, 10240 of it in queues, 1 denied
	// 0 used
}

// A listener for one network only. Where the network can ask first, others don't even
// learn that somebody listens.
func ExampleListenAdmit() {
	local := netip.MustParsePrefix("127.0.0.0/8")
	l, err := tlsio.ListenAdmit(context.Background(), tlsio.HostNetwork{}, "tcp", "127.0.0.1:0", func(remote netip.AddrPort) bool {
		return local.Contains(remote.Addr())
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "welcome")
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	text, _ := io.ReadAll(c)
	fmt.Println(string(text))
	// Output: welcome
}
