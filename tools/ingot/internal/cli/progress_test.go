package cli

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	failed := errors.New("failed")
	for _, c := range []struct {
		takes time.Duration
		err   error
		want  string
	}{
		{900 * time.Millisecond, nil, ""},
		{1500 * time.Millisecond, failed, "\r\x1b[KBuilding ... 1 s\r\x1b[K"},
		{2500 * time.Millisecond, nil, "\r\x1b[KBuilding ... 1 s\r\x1b[KBuilding ... 2 s\r\x1b[K"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var terminal bytes.Buffer
			err := showWork(&terminal, "Building", func() error {
				time.Sleep(c.takes)
				return c.err
			})
			if err != c.err || terminal.String() != c.want {
				t.Errorf("%v: %q, %v; want %q, %v", c.takes, terminal.String(), err, c.want, c.err)
			}
		})
	}
}
