package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ingot.dev/tools/ingot/internal/decode"
	"ingot.dev/tools/ingot/internal/serial"
)

func newMonitorCommand() *cobra.Command {
	var device, imageFile, color string
	var baud int
	cmd := &cobra.Command{
		Use:   "monitor [FILE|-]",
		Short: "Show a board's serial console and explain its crashes",
		Long: `monitor shows what a board prints: from its serial port, from a file that has
recorded it, or from standard input. Panics, fatal errors and what the kernel reports
stand out, and with --image, the image that the board runs, stripped or not, each
address of an instruction in them gets its function, file and line. Notes begin with
"==>". It ends with the file, with Ctrl-C, or when the device is gone.

What is typed goes to the board when the console comes from a device.`,
		Example: `  ingot monitor --device /dev/ttyUSB0 --image build/sensor.elf
  ingot monitor --image build/sensor.elf crash.log
  ssh lab 'cat /dev/ttyUSB0' | ingot monitor --image build/sensor.elf -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case device == "" && len(args) == 0:
				return usageError(cmd, errors.New("which console? Give --device, a FILE that has recorded one, or - for standard input"))
			case device != "" && len(args) > 0:
				return usageError(cmd, errors.New("give --device or FILE, not both"))
			case !slices.Contains(colors, color):
				return usageError(cmd, fmt.Errorf("--color %q: use auto, always or never", color))
			case !slices.Contains(serial.Rates(), baud):
				return usageError(cmd, fmt.Errorf("--baud %d: use one of %v", baud, serial.Rates()))
			}
			var table *decode.Table
			if imageFile != "" {
				var err error
				if err := isELF(imageFile); err != nil {
					return err
				}
				if table, err = decode.Open(imageFile); err != nil {
					return badInput(err)
				}
			}
			m := monitor{table: table, out: cmd.OutOrStdout(), color: color == "always"}
			if color == "auto" {
				m.color = isTerminal(m.out) && os.Getenv("NO_COLOR") == ""
			}
			if device != "" {
				port, err := serial.Open(device, baud)
				if err != nil {
					return badInput(fmt.Errorf("%w; is the board plugged in, and may you use it (group dialout)?", err))
				}
				defer port.Close()
				go io.Copy(port, cmd.InOrStdin())
				err = m.follow(cmd.Context(), port, port)
				if cmd.Context().Err() != nil {
					return nil // Ctrl-C is how it ends
				}
				if err == nil {
					err = io.EOF // which a console has only when it is unplugged
				}
				return fmt.Errorf("%s is gone: %w", device, err)
			}
			if args[0] == "-" {
				return m.follow(cmd.Context(), cmd.InOrStdin(), io.NopCloser(nil))
			}
			f, err := os.Open(args[0])
			if err != nil {
				return badInput(err)
			}
			defer f.Close()
			return m.follow(cmd.Context(), f, f)
		},
	}
	f := cmd.Flags()
	f.StringVar(&device, "device", "", "serial `port`, such as /dev/ttyUSB0")
	f.IntVar(&baud, "baud", 115200, "its `rate`; 8 data bits, no parity, 1 stop bit")
	f.StringVar(&imageFile, "image", "", "`image` that the board runs, for functions and lines of addresses")
	f.StringVar(&color, "color", "auto", "`when` to use colors: auto, always, never")
	cmd.MarkFlagFilename("image", "elf")
	cmd.RegisterFlagCompletionFunc("device", completeDevices)
	return cmd
}

// colors are the values of --color.
var colors = []string{"auto", "always", "never"}

// follow shows a console until it ends or ctx does, which closes it.
func (m *monitor) follow(ctx context.Context, in io.Reader, c io.Closer) error {
	done := make(chan error, 1)
	go func() { done <- m.copy(in) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done(): // Ctrl-C is how it ends
		c.Close()
		return nil
	}
}

// monitor shows a console.
type monitor struct {
	table *decode.Table // may be nil
	out   io.Writer
	color bool

	line  []byte // what of the current line has come
	shown int    // how much of it has been shown
}

// longLine is as much of a line without an end as is looked at.
const longLine = 64 << 10

// copy shows what comes, also unfinished lines at once: a prompt has no end.
func (m *monitor) copy(in io.Reader) error {
	out := bufio.NewWriter(m.out)
	defer out.Flush()
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		for _, b := range buf[:n] {
			m.add(out, b)
		}
		if len(m.line) > m.shown && !m.waits() {
			m.show(out, "")
		}
		if ferr := out.Flush(); ferr != nil {
			return cannotWrite(ferr)
		}
		if err == io.EOF {
			m.end(out)
			return cannotWrite(out.Flush())
		}
		if err != nil {
			m.end(out)
			return err
		}
	}
}

// waits says that the current line can't be shown before it is whole, since it may turn
// out to be one that stands out.
func (m *monitor) waits() bool { return m.color && m.shown == 0 && decode.Undecided(string(m.line)) }

func (m *monitor) add(out *bufio.Writer, b byte) {
	switch {
	case b == '\n':
		m.end(out)
		out.WriteByte('\n')
		for _, note := range m.notes() {
			m.paint(out, faint, "==> "+strings.ReplaceAll(note, "\n\t", "\n    "))
			out.WriteByte('\n')
		}
		m.line, m.shown = m.line[:0], 0
	case len(m.line) < longLine:
		m.line = append(m.line, b)
	default:
		m.show(out, "")
		m.line, m.shown = append(m.line[:0], b), 0
	}
}

// end shows what of the current line has not been shown.
func (m *monitor) end(out *bufio.Writer) {
	style := ""
	if m.shown == 0 {
		switch decode.Classify(m.text()) {
		case decode.Crash:
			style = red
		case decode.Kernel:
			style = yellow
		case decode.Trace:
			style = bold
		}
	}
	m.show(out, style)
}

func (m *monitor) text() string    { return strings.TrimRight(string(m.line), "\r") }
func (m *monitor) notes() []string { return m.table.Explain(m.text()) }

// Styles of ECMA-48, chapter 8.3.117 (SGR).
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	faint  = "\x1b[36m"
	reset  = "\x1b[0m"
)

func (m *monitor) show(out *bufio.Writer, style string) {
	text := strings.ReplaceAll(string(m.line[m.shown:]), "\r", "")
	m.shown = len(m.line)
	if text != "" {
		m.paint(out, style, text)
	}
}

func (m *monitor) paint(out *bufio.Writer, style, text string) {
	if !m.color || style == "" {
		out.WriteString(text)
		return
	}
	out.WriteString(style + text + reset)
}

// completeDevices offers the serial ports that there are.
func completeDevices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, pattern := range []string{"/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttymxc*", "/dev/cu.usb*", "/dev/serial/by-id/*"} {
		names, _ := filepath.Glob(pattern) // a bad pattern is its only error
		found = append(found, names...)
	}
	return found, cobra.ShellCompDirectiveDefault
}
