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
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
