package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"ingot.dev/internal/testenv"
	"ingot.dev/tools/ingot/internal/cli"
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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"tlsserver": tlsServer, "json": jsonReply},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "short":
				return testing.Short(), nil
			case "namespaces": // unprivileged, with mounts of their own
				return exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", os.TempDir()).Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(env *testscript.Env) error {
			port, err := testenv.FreePort()
			if err != nil {
				return err
			}
			env.Setenv("PORT", fmt.Sprint(port))
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

// Every command has a script that runs it.
func TestEveryCommandHasScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	root := cli.NewRootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if cmd.HasSubCommands() || cmd.Hidden || !cmd.Runnable() && cmd.Name() != "help" {
			return // what is hidden is for other commands to call
		}
		// At the start of a script's line, behind "!" or "exec", or in a shell's.
		re := regexp.MustCompile(`(?m)^([^#\s].*[ =(]|)` + regexp.QuoteMeta(cmd.CommandPath()) + `($| )`)
		if !re.Match(text) {
			t.Errorf("no script of testdata/script has '%s'", cmd.CommandPath())
		}
	}
	walk(root)
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

// jsonReply is the script command "json PATH [PATTERN]": the last command's output is one
// reply as 'ingot help json' describes it, and has a value at the path, such as
// result.files.0.path, that the pattern matches. With "!" there is no such value.
func jsonReply(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: json PATH [PATTERN]")
	}
	in := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var reply map[string]any
	ts.Check(in.Decode(&reply))
	if _, err := in.Token(); err != io.EOF {
		ts.Fatalf("there is more on standard output than one object: %v", err)
	}
	ok, isBool := reply["ok"].(bool)
	command, _ := reply["command"].(string)
	if _, failed := reply["error"]; !isBool || !strings.HasPrefix(command, "ingot ") || ok == failed {
		ts.Fatalf("not a reply: command %q, ok %v, error %v", command, reply["ok"], reply["error"])
	}
	for name := range reply {
		if !slices.Contains([]string{"command", "ok", "result", "error"}, name) {
			ts.Fatalf("a reply has no %q", name)
		}
	}
	value, there := any(reply), true
	for _, step := range strings.Split(args[0], ".") {
		switch v := value.(type) {
		case map[string]any:
			value, there = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if there = err == nil && i < len(v); there {
				value = v[i]
			}
		default:
			there = false
		}
		if !there {
			break
		}
	}
	text := fmt.Sprint(value)
	if f, isNumber := value.(float64); isNumber {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if there && len(args) > 1 {
		re, err := regexp.Compile(args[1])
		ts.Check(err)
		there = re.MatchString(text)
	}
	if there == neg {
		ts.Fatalf("%s is %q", args[0], text)
	}
}
