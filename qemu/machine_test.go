package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/kernel/bootparam"
)

// testContext ends well after anything here takes on a busy machine, and
// before the test binary's own limit would end it without a word.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the test's time is up"))
	t.Cleanup(cancel)
	return ctx
}

// start boots a guest and ends it with the test.
func start(t testing.TB, cfg Config) *Machine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	m, err := Start(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	return m
}

func TestExitStatus(t *testing.T) {
	var tee bytes.Buffer
	m := start(t, Config{Image: writeGuest(t, guestExit), Console: &tee})
	code, err := m.Wait()
	if code != 42 || err != nil {
		t.Errorf("Wait: %d, %v; want 42", code, err)
	}
	if got := m.Console(); got != "hello, host\n" {
		t.Errorf("console %q", got)
	}
	if tee.String() != m.Console() {
		t.Errorf("the writer got %q", tee.String())
	}
	m.Stop() // does nothing
	if code, err := m.Wait(); code != 42 || err != nil {
		t.Errorf("Wait after Stop: %d, %v", code, err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "ingot-qemu-*")); len(left) != 0 {
		t.Logf("temporary directories of other runs: %v", left)
		for _, dir := range left {
			if strings.Contains(strings.Join(m.Command(), " "), dir) {
				t.Errorf("%s was left behind", dir)
			}
		}
	}
}

// TestQuickGuest: a guest that ends before QEMU has said that it started.
func TestQuickGuest(t *testing.T) {
	image := writeGuest(t, guestExit)
	for range 20 {
		m := start(t, Config{Image: image})
		if code, err := m.Wait(); code != 42 || err != nil {
			t.Fatalf("Wait: %d, %v", code, err)
		}
	}
}

// TestBootBlock has the guest print what it was given.
func TestBootBlock(t *testing.T) {
	wall := time.Unix(1_900_000_000, 5)
	before := time.Now()
	for _, c := range []struct {
		name string
		cfg  Config
		want func(bootparam.Params) error
	}{
		{"defaults", Config{}, func(p bootparam.Params) error {
			if len(p.Seed) != 32 || p.Wall.Before(before) || time.Since(p.Wall) > time.Hour || !p.Semihosting {
				return errors.New("want a seed, the host's time and semihosting")
			}
			return nil
		}},
		{"nothing", Config{NoSeed: true, NoWall: true}, func(p bootparam.Params) error {
			if p.Seed != nil || !p.Wall.IsZero() {
				return errors.New("want neither seed nor time")
			}
			return nil
		}},
		{"given", Config{Seed: []byte("0123456789abcdef0123456789abcdef"), Wall: wall, Env: []string{"A=1", "B=ä,=2"}, Args: []string{"", "x y"}},
			func(p bootparam.Params) error {
				if string(p.Seed) != "0123456789abcdef0123456789abcdef" || !p.Wall.Equal(wall) || fmt.Sprint(p.Env) != "[A=1 B=ä,=2]" || fmt.Sprintf("%q", p.Args) != `["" "x y"]` {
					return errors.New("want what the Config says")
				}
				return nil
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Image = writeGuest(t, guestDump)
			m := start(t, c.cfg)
			if code, err := m.Wait(); code != 0 || err != nil {
				t.Fatalf("Wait: %d, %v", code, err)
			}
			p, err := bootparam.Decode([]byte(m.Console()))
			if err == nil {
				err = c.want(p)
			}
			if err != nil {
				t.Errorf("%+v: %v", p, err)
			}
		})
	}
}

func TestFreshSeeds(t *testing.T) {
	image := writeGuest(t, guestDump)
	var seeds [2]string
	for i := range seeds {
		m := start(t, Config{Image: image})
		m.Wait()
		p, err := bootparam.Decode([]byte(m.Console()))
		if err != nil {
			t.Fatal(err)
		}
		seeds[i] = string(p.Seed)
	}
	if seeds[0] == seeds[1] {
		t.Errorf("two machines have the seed %x", seeds[0])
	}
}

func TestWaitConsole(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestIdle)})
	match, err := m.WaitConsole(testContext(t), regexp.MustCompile(`(?m)^i(d)le$`))
	if err != nil || len(match) != 2 || match[1] != "d" {
		t.Fatalf("%q, %v", match, err)
	}
	// Text that is there already is found at once.
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`idle`)); err != nil {
		t.Error(err)
	}
	// A line that never comes: the error shows those that did.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = m.WaitConsole(ctx, regexp.MustCompile(`ready`))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "\tidle") {
		t.Errorf("%v, want the context's error and the console", err)
	}
}

func TestWaitConsoleExited(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestExit)})
	_, err := m.WaitConsole(testContext(t), regexp.MustCompile(`ready`))
	if !errors.Is(err, ErrExited) || !strings.Contains(err.Error(), "status 42") || !strings.Contains(err.Error(), "hello, host") {
		t.Errorf("%v, want ErrExited with status and console", err)
	}
}

func TestReset(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestReset)})
	if code, err := m.Wait(); code != -1 || !errors.Is(err, ErrReset) {
		t.Errorf("Wait: %d, %v; want ErrReset", code, err)
	}
}

// gone reports whether the process has ended (a zombie has).
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return fields[0] == "Z" || fields[0] == "X"
}

func TestStop(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestSpin), Forwards: []Forward{{GuestPort: 80}}})
	select {
	case <-m.Done():
		t.Fatal("a spinning guest ended")
	case <-time.After(50 * time.Millisecond):
	}
	m.Stop()
	if code, err := m.Wait(); code != -1 || !errors.Is(err, ErrStopped) {
		t.Errorf("Wait: %d, %v; want ErrStopped", code, err)
	}
	if !gone(m.PID()) {
		t.Error("QEMU is still there")
	}
}

func TestContextEndsMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	m, err := Start(ctx, Config{Image: writeGuest(t, guestSpin)})
	if err != nil {
		t.Fatal(err)
	}
	cancel(why)
	if _, err := m.Wait(); !errors.Is(err, ErrStopped) || !errors.Is(err, why) {
		t.Errorf("Wait: %v; want ErrStopped and the context's cause", err)
	}
	if _, err := Start(ctx, Config{Image: writeGuest(t, guestSpin)}); !errors.Is(err, why) {
		t.Errorf("Start with an ended context: %v", err)
	}
}

// TestParentDeath starts a machine from a process that is then killed.
func TestParentDeath(t *testing.T) {
	if image := os.Getenv("INGOT_TEST_PARENT"); image != "" {
		m, err := Start(t.Context(), Config{Image: image})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", m.PID())
		m.Wait()
		return
	}
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	cmd := exec.CommandContext(testContext(t), os.Args[0], "-test.run=^TestParentDeath$")
	cmd.Env = append(os.Environ(), "INGOT_TEST_PARENT="+writeGuest(t, guestSpin))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "pid %d\n", &pid); err != nil {
		t.Fatal(err)
	}
	if gone(pid) {
		t.Fatal("QEMU ended too early")
	}
	cmd.Process.Kill()
	cmd.Wait()
	for ctx := testContext(t); !gone(pid); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("QEMU, process %d, outlived its parent", pid)
		}
	}
}

func TestForward(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestIdle), Forwards: []Forward{{GuestPort: 8443}, {GuestPort: 80}}})
	if m.Addr(8443) == m.Addr(80) {
		t.Fatal("two forwards share a port")
	}
	for _, port := range []int{8443, 80} {
		conn, err := m.DialForward(testContext(t), port)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	defer func() {
		if recover() == nil {
			t.Error("Addr of a port that is not forwarded did not panic")
		}
	}()
	m.Addr(81)
}

func TestPortTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(testContext(t), Config{Image: writeGuest(t, guestIdle), Forwards: []Forward{{HostPort: port, GuestPort: 80}}})
	if !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("%v, want ErrPortTaken with the number", err)
	}
}

func TestStartRefuses(t *testing.T) {
	image := writeGuest(t, guestExit)
	for _, c := range []struct {
		name string
		cfg  Config
		is   error
		want string
	}{
		{"no image", Config{}, nil, "no image"},
		{"image not there", Config{Image: image + ".not"}, fs.ErrNotExist, "guest.elf.not"},
		{"board", Config{Image: image, Board: "toaster"}, nil, "imx6ulevk"},
		{"seed", Config{Image: image, Seed: []byte("short")}, bootparam.ErrInvalid, "5 bytes"},
		{"two seeds", Config{Image: image, Seed: make([]byte, 32), NoSeed: true}, nil, "NoSeed"},
		{"two clocks", Config{Image: image, Wall: time.Now(), NoWall: true}, nil, "NoWall"},
		{"environment", Config{Image: image, Env: []string{"x"}}, bootparam.ErrInvalid, "key=value"},
		{"port", Config{Image: image, Forwards: []Forward{{GuestPort: 70000}}}, nil, "70000"},
		{"no QEMU", Config{Image: image, Binary: "qemu-system-none"}, ErrNoQEMU, "apt-get install qemu-system-arm"},
		{"no QEMU at a path", Config{Image: image, Binary: "/nowhere/qemu"}, ErrNoQEMU, "/nowhere/qemu"},
	} {
		m, err := Start(t.Context(), c.cfg)
		if err == nil {
			m.Stop()
			t.Errorf("%s: started", c.name)
			continue
		}
		if (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %v with %q", c.name, err, c.is, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	if _, err := Find("toaster"); err == nil {
		t.Error("found an emulator for a toaster")
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(""); !errors.Is(err, ErrNoQEMU) {
		t.Errorf("with an empty PATH: %v", err)
	}
}

// TestQEMURefuses: what QEMU prints before it gives up is the error.
func TestQEMURefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	_, err := Start(testContext(t), Config{Image: writeGuest(t, guestExit), ExtraArgs: []string{"-device", "no-such-device"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-device") {
		t.Errorf("%v, want QEMU's message", err)
	}
}

// TestNotQEMU: a program that is not QEMU at all.
func TestNotQEMU(t *testing.T) {
	_, err := Start(testContext(t), Config{Image: writeGuest(t, guestExit), Binary: "/bin/true"})
	if err == nil || !strings.Contains(err.Error(), "/bin/true did not start") {
		t.Errorf("%v", err)
	}
}

func TestCPUTime(t *testing.T) {
	measure := func(guest []uint32) time.Duration {
		m := start(t, Config{Image: writeGuest(t, guest)})
		defer m.Stop()
		time.Sleep(200 * time.Millisecond) // QEMU's own start
		before, err := m.CPUTime()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		after, err := m.CPUTime()
		if err != nil {
			t.Fatal(err)
		}
		return after - before
	}
	idle, busy := measure(guestIdle), measure(guestSpin)
	// Not a measurement, only the difference between sleep and work.
	if idle*2 >= busy {
		t.Errorf("in one second a sleeping guest took %v, a computing one %v", idle, busy)
	}
}

// TestICount: under ICountDeterministic a guest that waits has no host time to
// wait for, and still ends like any other.
func TestICount(t *testing.T) {
	m := start(t, Config{Image: writeGuest(t, guestExit), ICount: ICountDeterministic})
	if code, err := m.Wait(); code != 42 || err != nil {
		t.Errorf("Wait: %d, %v", code, err)
	}
}
