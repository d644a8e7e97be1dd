package problems_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/problems"
)

func TestErr(t *testing.T) {
	var l problems.List
	if err := l.Err("New"); err != nil {
		t.Fatalf("an empty list gives %v", err)
	}
	l.Add("Port", 70000, "use 1 to 65535")
	l.Add("Host", nil, "required")
	e, ok := errors.AsType[*tlsio.Error](l.Err("New"))
	if !ok || e.Op != "New" || e.Stage != tlsio.StageOptions {
		t.Fatalf("got %#v", e)
	}
	parts := e.Err.(interface{ Unwrap() []error }).Unwrap()
	if len(parts) != 2 {
		t.Fatalf("%d problems, want 2: %v", len(parts), parts)
	}
	if o, ok := errors.AsType[*tlsio.OptionError](parts[0]); !ok || o.Option != "Port" || o.Value != 70000 {
		t.Errorf("the first is %#v", parts[0])
	}
}

// What another package says keeps its values, under the names that they have here.
func TestAddAll(t *testing.T) {
	var other problems.List
	other.Add("CA", 3, "use less")
	other.Add("Key", 4, "use more")
	plain := errors.New("no options at all")
	for _, c := range []struct {
		name string
		err  error
		want []string // options; "" for an error that is not about one
	}{
		{"nothing", nil, nil},
		{"joined", other.Err("Other"), []string{"TLS.CA", "TLS.Key"}},
		{"one", &tlsio.Error{Op: "Other", Err: &tlsio.OptionError{Option: "CA"}}, []string{"TLS.CA"}},
		{"another error", &tlsio.Error{Op: "Other", Err: plain}, []string{""}},
		{"a foreign one", plain, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l problems.List
			l.AddAll("TLS.", c.err)
			if len(l) != len(c.want) {
				t.Fatalf("took over %v, want %q", l, c.want)
			}
			for i, err := range l {
				name := ""
				if o, ok := err.(*tlsio.OptionError); ok {
					name = o.Option
				} else if !errors.Is(err, plain) {
					t.Errorf("lost %v", err)
				}
				if name != c.want[i] {
					t.Errorf("%d is about %q, want %q", i, name, c.want[i])
				}
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		given, want time.Duration
		wrong       bool
	}{
		{0, time.Minute, false},
		{problems.Off, 0, false},
		{time.Second, time.Second, false},
		{-2, -2, true},
	} {
		var l problems.List
		if got := l.Duration("Idle", c.given, time.Minute); got != c.want || (len(l) > 0) != c.wrong {
			t.Errorf("%v gives %v and %v, want %v", c.given, got, l, c.want)
		}
	}
}

func ExampleList() {
	check := func(port int, idle time.Duration) error {
		var l problems.List
		if port < 1 || port > 65535 {
			l.Add("Port", port, "use 1 to 65535")
		}
		l.Duration("IdleTimeout", idle, time.Minute)
		return l.Err("NewThing")
	}
	fmt.Println(check(70000, -time.Second))
	fmt.Println(check(8443, problems.Off))
	// Output:
	// tlsio: NewThing: options: option Port = 70000: use 1 to 65535
	// option IdleTimeout = -1s: use a positive duration, 0 for the default, or Off
	// <nil>
}
