package server

import (
	"context"
	"testing"
)

// runLoop runs a Loop until the test ends, and returns its Post.
func runLoop(t testing.TB) func(func()) {
	var l Loop
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			l.DoEvents(ctx)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return l.Post
}
