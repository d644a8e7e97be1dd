// Command ingot builds, runs and inspects firmware images and the certificates
// that are compiled into them. Run "ingot help" for the list of commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ingot.dev/tools/ingot/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Who asks a second time doesn't want to wait for what can't be ended in good
	// order, such as reading a pipe that nobody writes to.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
