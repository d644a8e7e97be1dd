package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// signals sends some to the program itself, while it is busy and while it sleeps.
func signals() error {
	got := make(chan os.Signal, 10)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(got)
	for i := range 10 {
		sig := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2}[i&1]
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			return err
		}
		select {
		case s := <-got:
			if s != sig {
				return fmt.Errorf("signal %v came as %v", sig, s)
			}
		case <-time.After(5 * time.Second):
			return fmt.Errorf("signal %v did not come", sig)
		}
	}
	signal.Ignore(syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGUSR1)
	return syscall.Kill(os.Getpid(), syscall.SIGUSR1)
}

// noFolders wants Linux's answer of a kernel that can't list any.
func noFolders() error {
	for _, read := range []func(*os.File) error{
		func(f *os.File) error { _, err := f.ReadDir(-1); return err },
		func(f *os.File) error { _, err := f.Readdir(1); return err },
		func(f *os.File) error { _, err := f.Readdirnames(0); return err },
	} {
		err := read(os.Stdout)
		if e, ok := errors.AsType[*os.PathError](err); !ok || e.Op != "readdirent" || e.Path != "/dev/stdout" || e.Err != syscall.ENOSYS {
			return fmt.Errorf("a folder that is none: %v", err)
		}
	}
	return nil
}

// noTimeZones wants UTC where there are no files to say something else.
func noTimeZones() error {
	if err := want(time.Local.String(), "UTC"); err != nil {
		return err
	}
	if _, err := time.LoadLocation("Europe/Berlin"); err == nil {
		return errors.New("a time zone from nowhere")
	}
	_, offset := time.Now().Zone()
	return want(offset, 0)
}

// fileToFile has one file copied to another, all that comes and no more than a limit.
func fileToFile() error {
	for _, limit := range []int64{-1, 0, 1, 5000, 20_000} {
		from, in, err := os.Pipe()
		if err != nil {
			return err
		}
		defer from.Close()
		out, to, err := os.Pipe()
		if err != nil {
			return err
		}
		defer out.Close()
		data := bytes.Repeat([]byte("0123456789"), 1000)
		go func() {
			in.Write(data)
			in.Close()
		}()
		copied := make(chan error, 1)
		go func() {
			var r io.Reader = from
			if limit >= 0 {
				r = io.LimitReader(from, limit)
			}
			n, err := io.Copy(to, r)
			if all := int64(len(data)); err == nil && limit >= 0 {
				err = want(n, min(limit, all))
			} else if err == nil {
				err = want(n, all)
			}
			to.Close()
			from.Close()
			copied <- err
		}()
		got, err := io.ReadAll(out)
		if err := errors.Join(err, <-copied); err != nil {
			return err
		}
		if limit >= 0 {
			data = data[:min(int(limit), len(data))]
		}
		if !bytes.Equal(got, data) {
			return fmt.Errorf("limit %d: %d bytes came of %d", limit, len(got), len(data))
		}
	}
	return nil
}

// cpuProfile wants the function that took the time in a profile of the processor.
func cpuProfile() error {
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		return err
	}
	start := time.Now()
	for time.Since(start) < 300*time.Millisecond { // thirty samples
		burn()
	}
	pprof.StopCPUProfile()
	z, err := gzip.NewReader(&out)
	if err != nil {
		return err
	}
	profile, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	if !bytes.Contains(profile, []byte(".burn")) { // main's, or a test binary's
		return fmt.Errorf("a profile of %d bytes has no sample of what took all the time", len(profile))
	}
	return nil
}

// traces makes two of execution, which have a log's text in them.
func traces() error {
	for _, text := range []string{"one line", "another"} {
		var out bytes.Buffer
		if err := trace.Start(&out); err != nil {
			return err
		}
		trace.Log(context.Background(), "selftest", text)
		trace.Stop()
		if b := out.Bytes(); !bytes.HasPrefix(b, []byte("go 1.")) || !bytes.Contains(b, []byte(text)) {
			return fmt.Errorf("a trace of %d bytes hasn't %q", len(b), text)
		}
	}
	return nil
}

//go:noinline
func burn() {
	for i := range 1_000_000 {
		sink.Add(uint32(i))
	}
}

// manyTimers wants timers in order, and none early.
func manyTimers() error {
	const n = 2000
	var wg sync.WaitGroup
	var early, last atomic.Int64
	start := time.Now()
	wg.Add(n)
	for i := range n {
		d := time.Duration(i*7%200) * time.Millisecond
		time.AfterFunc(d, func() {
			defer wg.Done()
			now := time.Since(start)
			if now < d {
				early.Add(1)
			}
			last.Store(int64(now))
		})
	}
	wg.Wait()
	if time.Duration(last.Load()) < 199*time.Millisecond {
		return fmt.Errorf("the last timer fired after %v", time.Duration(last.Load()))
	}
	return want(early.Load(), 0)
}

// finalizers run, on their own goroutine, after collections.
func finalizers() error {
	const n = 1000
	var ran atomic.Int32
	for range n {
		p := &node{}
		runtime.SetFinalizer(p, func(*node) { ran.Add(1) })
	}
	for range 100 {
		runtime.GC()
		if ran.Load() > n*9/10 {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("%d of %d finalizers ran", ran.Load(), n)
}

// deepStacks grows the stacks of many goroutines at once.
func deepStacks() error {
	var deep func(n int) int
	deep = func(n int) int {
		var pad [64]byte
		pad[n&63] = 1
		if n == 0 {
			runtime.Gosched()
			return int(pad[0])
		}
		return deep(n-1) + int(pad[n&63])
	}
	var wg sync.WaitGroup
	var bad atomic.Int32
	for range 50 {
		wg.Go(func() {
			if deep(3000) != 3001 {
				bad.Add(1)
			}
		})
	}
	wg.Wait()
	return want(bad.Load(), 0)
}

// pipeDeadlines go through Go's poller, and so through epoll_wait's timeouts.
func pipeDeadlines() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	for range 20 {
		start := time.Now()
		if err := r.SetReadDeadline(start.Add(5 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("read of an empty pipe: %v", err)
		}
		if d := time.Since(start); d < 5*time.Millisecond {
			return fmt.Errorf("a deadline of 5ms came after %v", d)
		}
	}
	if err := r.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	closed := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		closed <- err
	}()
	time.Sleep(5 * time.Millisecond)
	if err := r.Close(); err != nil {
		return err
	}
	if err := <-closed; !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("read of a pipe that is closed meanwhile: %v", err)
	}
	return nil
}

// setClock moves the wall clock, which the monotonic one does not follow.
func setClock() error {
	before, mono := time.Now().Round(0), time.Now()
	then := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	ts := unix.NsecToTimespec(then.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return err
	}
	now, d := time.Now().Round(0), time.Since(mono)
	ts = unix.NsecToTimespec(before.Add(d).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return err
	}
	if off := now.Sub(then); off < 0 || off > 5*time.Second || d < 0 || d > 5*time.Second {
		return fmt.Errorf("set to %v the clock says %v; meanwhile %v have passed", then, now, d)
	}
	return nil
}

// devices opens every device there is, twice one after the other.
func devices() error {
	for round := range 2 {
		n := 0
		for ; ; n++ {
			f, err := os.OpenFile(fmt.Sprintf("/dev/uio%d", n), os.O_RDWR, 0)
			if errors.Is(err, os.ErrNotExist) {
				break
			}
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			if _, err := os.OpenFile(f.Name(), os.O_RDWR, 0); !errors.Is(err, syscall.EBUSY) {
				return fmt.Errorf("second open of %s: %v", f.Name(), err)
			}
			regs, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Name(), err)
			}
			if err := errors.Join(syscall.Munmap(regs), f.Close()); err != nil {
				return err
			}
		}
		if n == 0 {
			return errors.New("no devices")
		}
	}
	return nil
}
