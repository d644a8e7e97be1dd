package flash

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/board/boards"
	"ingot.dev/tools/imx"
)

func TestCheck(t *testing.T) {
	card := Target{Path: "/dev/sdb", Device: true, Size: 1000, Removable: true}
	change := func(f func(*Target)) Target { t := card; f(&t); return t }
	for name, c := range map[string]struct {
		t             Target
		size          int64
		plain, forced error
	}{
		"a card":              {card, 1000, nil, nil},
		"a small one":         {card, 1001, ErrTooSmall, ErrTooSmall},
		"a mounted one":       {change(func(t *Target) { t.Uses = []string{"/dev/sdb1 on /mnt"} }), 10, ErrInUse, nil},
		"one that stays":      {change(func(t *Target) { t.Removable = false }), 10, ErrInUse, nil},
		"the system's":        {change(func(t *Target) { t.System, t.Uses = true, []string{"/dev/sdb1 on /"} }), 10, ErrInUse, ErrInUse},
		"a file":              {Target{Path: "x"}, 1 << 40, nil, nil},
		"the system's, small": {change(func(t *Target) { t.System = true }), 1001, ErrTooSmall, ErrTooSmall},
	} {
		for force, want := range map[bool]error{false: c.plain, true: c.forced} {
			if err := c.t.Check(c.size, force); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%s, forced: %v: %v, want %v", name, force, err, want)
			}
		}
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)
	}
	return b
}

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "card")
	image := pattern(2*pieceSize + 512)
	var steps []int64
	if err := Write(t.Context(), Target{Path: name}, image, false, func(n int64) { steps = append(steps, n) }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, image) {
		t.Errorf("%d bytes are there, %v", len(got), err)
	}
	if n := int64(len(image)); len(steps) != 6 || steps[2] != n || steps[5] != 2*n {
		t.Errorf("progress %v of twice %d bytes", steps, n)
	}
	// A shorter one leaves the rest, as on a card.
	if err := Write(t.Context(), Target{Path: name}, []byte("new"), false, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || len(got) != len(image) || string(got[:3]) != "new" || !bytes.Equal(got[3:], image[3:]) {
		t.Errorf("after a shorter one: %d bytes that begin with %q, %v", len(got), got[:5], err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Write(ctx, Target{Path: name}, image, false, func(n int64) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1048576 of 2097664") {
		t.Errorf("interrupted: %v", err)
	}
	if err := Write(t.Context(), Target{Path: filepath.Join(name, "x")}, image, false, nil); err == nil {
		t.Error("written below a file")
	}
	if err := Write(t.Context(), Target{Path: name + "none", Device: true}, image, false, nil); err == nil {
		t.Error("a device was made")
	}
}

func TestVerify(t *testing.T) {
	image := pattern(pieceSize + 1000)
	bad := bytes.Clone(image)
	bad[pieceSize+7] ^= 0x10
	for name, c := range map[string]struct {
		stored []byte
		want   string
	}{
		"the same":  {image, ""},
		"a bit":     {bad, "byte 1048583"},
		"the end":   {image[:len(image)-1], "EOF"},
		"all of it": {nil, "EOF"},
	} {
		err := verify(t.Context(), bytes.NewReader(c.stored), image, func(int64) {})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrVerify) != (name == "a bit") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := verify(ctx, bytes.NewReader(image), image, func(int64) {}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// bootImage is one for a board.
func bootImage(t *testing.T, board string) (boards.Board, []byte) {
	t.Helper()
	b, err := boards.ByName(board)
	if err != nil {
		t.Fatal(err)
	}
	flat := &imx.Flat{Addr: uint32(b.TextAddr - b.PageSize), Entry: uint32(b.TextAddr), Data: pattern(3 * int(b.PageSize))}
	im, err := flat.Boot(imx.DCD(b))
	if err != nil {
		t.Fatal(err)
	}
	data, err := im.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b, data
}

// TestDownload runs imx_usb's stand-in, which notes what it was given.
func TestDownload(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	b, data := bootImage(t, "usbarmory")
	if err := Download(t.Context(), b, data); !errors.Is(err, ErrNoLoader) || !strings.Contains(err.Error(), LoaderPackage) {
		t.Errorf("without the program: %v", err)
	}
	script := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, loader), []byte("#!/bin/sh\n"+text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OUT", dir)
	script(`PATH=/usr/bin:/bin
echo "$1 $3 $4 $(basename $5)" >$OUT/args
cat $2/imx_usb.conf $2/board.conf >$OUT/config
cp $5 $OUT/sent
`)
	if err := Download(t.Context(), b, data, "-b", "1"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"args":   "-c -b 1 image.imx\n",
		"config": "0x15a2:0x0080, board.conf\n0x15a2:0x007d, board.conf\nusbarmory\nhid,1024,0x910000,0x80000000,512M,0x00900000,0x20000\n",
		"sent":   string(data),
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %.200q, %v", name, got, err)
		}
	}
	script("echo no matching USB device found >&2; exit 1\n")
	if err := Download(t.Context(), b, data); !errors.Is(err, ErrNoBoard) || !strings.Contains(err.Error(), "15a2:0080") {
		t.Errorf("without a board: %v", err)
	}
	script("echo one; echo two >&2; exit 3\n")
	if err := Download(t.Context(), b, data); err == nil || errors.Is(err, ErrNoBoard) || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "two") {
		t.Errorf("another failure: %v", err)
	}
}

// TestLoader has the real imx_usb send an image to a simulated board, and looks at what the
// board would get.
func TestLoader(t *testing.T) {
	real, err := exec.LookPath(loader)
	if err != nil {
		t.Skipf("not installed (Debian: %s): %v", LoaderPackage, err)
	}
	for _, name := range boards.Names() {
		t.Run(name, func(t *testing.T) {
			b, data := bootImage(t, name)
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			text := "#!/bin/sh\nexec '" + real + "' \"$@\" >'" + log + "'\n"
			if err := os.WriteFile(filepath.Join(dir, loader), []byte(text), 0o777); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			if err := Download(t.Context(), b, data, "-S", b.ROM.USB[0].String()); err != nil {
				t.Fatal(err)
			}
			out, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			sent := reports(t, string(out))
			// The DCD, then the image, which says that it has no DCD any more.
			im, err := imx.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			const dcdAt = 44
			n := int(binary.BigEndian.Uint16(data[dcdAt+1:]))
			want := bytes.Clone(data)
			clear(want[12:16])
			if !bytes.HasPrefix(sent, data[dcdAt:dcdAt+n]) || !bytes.Equal(sent[n:], want) || len(im.DCD) == 0 {
				t.Errorf("the board got %d bytes, which are not the DCD and the image", len(sent))
			}
			for _, line := range []string{"loading DCD table @0x910000", "jumping to 0x8000e400"} {
				if !strings.Contains(string(out), line) {
					t.Errorf("imx_usb did not say %q", line)
				}
			}
		})
	}
}

var dumpLine = regexp.MustCompile(`^[0-9a-f]{8}: ((?:[0-9a-f]{2} +)*[0-9a-f]{2}) *$`)

// reports puts together the data that imx_usb says it sends: the hexadecimal lines behind
// "report=2".
func reports(t *testing.T, log string) []byte {
	var data []byte
	inData := false
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "report=") {
			inData = strings.HasPrefix(line, "report=2,")
			continue
		}
		m := dumpLine.FindStringSubmatch(line)
		if m == nil || !inData {
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, b...)
	}
	return data
}
