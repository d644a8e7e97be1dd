package testenv

import (
	"context"
	"testing"
	"time"
)

// foreign is a context that package context must watch with a goroutine.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func TestGoroutines(t *testing.T) {
	const prefix = "context."
	NoLeaks(t, prefix)
	want := func(n int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); len(Goroutines(prefix)) != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines, want %d", len(Goroutines(prefix)), n)
			}
		}
	}
	want(0)
	_, cancel := context.WithCancel(foreign{context.Background(), make(chan struct{})})
	want(1)
	cancel()
	want(0)
}

func TestFreePort(t *testing.T) {
	NeedHost(t)
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if port < 1024 || port >= 32768 {
		t.Errorf("port %d", port)
	}
}
