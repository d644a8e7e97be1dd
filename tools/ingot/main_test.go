package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ingot": main})
}

// TestScripts runs the commands as a user would, in a folder of its own. $INGOT is a
// checkout of Ingot, $PORT a free port.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"tlsserver": tlsServer},
		Condition: func(cond string) (bool, error) {
			if cond == "short" {
				return testing.Short(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			env.Setenv("PORT", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
			env.Setenv("INGOT", root)
			bin, _, _ := strings.Cut(env.Getenv("PATH"), string(os.PathListSeparator))
			env.Setenv("BIN", bin) // holds the ingot command, and nothing else
			// The go command's caches and settings are the tester's.
			home, err := os.UserHomeDir()
			if err != nil {
				return err
			}
			env.Setenv("HOME", home)
			for _, name := range []string{"GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GOFLAGS", "GOROOT"} {
				if v, ok := os.LookupEnv(name); ok {
					env.Setenv(name, v)
				}
			}
			return nil
		},
	})
}

// tlsServer is the script command "tlsserver DIR [whole]": a TLS server with the
// certificate of DIR/host/server.pem, or with that of its authority too, at
// localhost:$SERVER until the script ends.
func tlsServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: tlsserver DIR [whole]")
	}
	host := filepath.Join(ts.MkAbs(args[0]), "host")
	pair, err := tls.LoadX509KeyPair(filepath.Join(host, "server.pem"), filepath.Join(host, "server-key.pem"))
	ts.Check(err)
	if len(args) > 1 {
		ca, err := os.ReadFile(filepath.Join(host, "ca.der"))
		ts.Check(err)
		pair.Certificate = append(pair.Certificate, ca)
	}
	l, err := tls.Listen("tcp", "localhost:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.(*tls.Conn).HandshakeContext(context.Background())
			}()
		}
	}()
	ts.Setenv("SERVER", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
}
