package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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

func TestAllErrors(t *testing.T) {
	first, second := &os.PathError{Op: "first"}, &os.PathError{Op: "second", Err: &os.PathError{Op: "in it"}}
	err := fmt.Errorf("both: %w", errors.Join(io.EOF, first, fmt.Errorf("%w and %w", io.EOF, second)))
	var got []string
	for _, e := range AllErrors[*os.PathError](err) {
		got = append(got, e.Op)
	}
	if want := []string{"first", "second", "in it"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := AllErrors[*os.PathError](nil); got != nil {
		t.Errorf("%v in nil", got)
	}
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
