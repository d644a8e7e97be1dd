package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ingot.dev/tools/imx"
	"ingot.dev/tools/ingot/internal/flash"
)

// flashedInfo is what 'flash --json' prints.
type flashedInfo struct {
	Target string `json:"target"` // a file or device, or "usb"
	Board  string `json:"board"`
	Size   int64  `json:"size"` // bytes written
}

func newFlashCommand() *cobra.Command {
	var flags buildFlags
	var target string
	var usb, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "flash [PACKAGE|FILE.go...|IMAGE] (--to DEVICE|--usb) [-- IMX_USB-ARGUMENT...]",
		Short: "Write an image to an SD card, or send it to a board over USB",
		Long: `flash writes an image to an SD card or eMMC from its first byte on, so that the boot
ROM of a board starts it, and reads it back. It builds a program first, or takes an image
that is built (.elf, .imx or .img); without an argument it takes the program in the
current folder, or else Ingot's default firmware.

It asks before it overwrites a device. A device that is in use, or not removable, is left
alone unless --yes insists, which also answers the question; the disk that this system
runs from is always left alone. DEVICE may be a file, which then is what a card would be.

With --usb it sends the image to a board whose boot ROM waits for a serial download, and
starts it there; nothing is stored. That takes imx_usb (Debian: apt-get install
imx-usb-loader), which gets the arguments behind --.`,
		Example: `  ingot flash --board usbarmory --to /dev/sdX ./sensor
  ingot flash --to /dev/sdX --config examples/gateway/ingot.toml
  ingot flash --to /dev/mmcblk0 sensor.img
  ingot flash --usb sensor.imx`,
		Args: func(cmd *cobra.Command, args []string) error {
			if own, _ := splitArgs(cmd, args); len(own) > 0 {
				return packageArgs(cmd, own)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			args, extra := splitArgs(cmd, args)
			switch {
			case usb == (target != ""):
				return usageError(cmd, errors.New("where to? Give --to DEVICE for a card, or --usb for a board that waits for a serial download"))
			case !usb && len(extra) > 0:
				return usageError(cmd, errors.New("arguments behind -- are for imx_usb, which takes --usb"))
			}
			p, err := flags.program(cmd, args)
			if err != nil {
				return err
			}
			defer p.done()
			boot, board, err := bootImage(cmd, &flags, p)
			if err != nil {
				return err
			}
			info := flashedInfo{Target: "usb", Board: board.Name, Size: int64(len(boot))}
			if usb {
				err := working(cmd, "Sending the image", func() error { return flash.Download(cmd.Context(), board, boot, extra...) })
				if err != nil {
					return err
				}
			} else {
				card, err := imx.Card(boot)
				if err != nil {
					return badInput(err)
				}
				info.Target, info.Size = target, int64(len(card))
				if err := flashCard(cmd, target, card, yes); err != nil {
					return err
				}
			}
			if asJSON {
				return answer(cmd, info)
			}
			if usb {
				fmt.Fprintf(cmd.OutOrStdout(), "The board has the image, and has started it.\n")
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes for %s written and read back.\n", target, info.Size, board.Name)
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	f := cmd.Flags()
	f.StringVar(&target, "to", "", "`device` of the card, such as /dev/sdX, or a file")
	f.BoolVar(&usb, "usb", false, "send it to a board that waits for a serial download")
	f.BoolVar(&yes, "yes", false, "don't ask, and write also to a device that is in use or not removable")
	cmd.RegisterFlagCompletionFunc("to", completeDisks)
	addJSON(cmd, &asJSON)
	return cmd
}

// completeDisks offers what may be cards, and files.
func completeDisks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for _, pattern := range []string{"/dev/sd[a-z]", "/dev/mmcblk[0-9]"} {
		names, _ := filepath.Glob(pattern) // a bad pattern is its only error
		found = append(found, names...)
	}
	return found, cobra.ShellCompDirectiveDefault
}

// flashCard writes to a card, if it may.
func flashCard(cmd *cobra.Command, path string, card []byte, yes bool) error {
	t, err := flash.System{}.Inspect(path)
	if err != nil {
		return cannotWrite(err)
	}
	if err := t.Check(int64(len(card)), yes); err != nil {
		return err
	}
	if t.Device && !yes {
		in, ok := cmd.InOrStdin().(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return usageError(cmd, fmt.Errorf("%v: everything on it would be lost, and there is no terminal to ask at; give --yes", t))
		}
		if err := askToWrite(cmd.ErrOrStderr(), in, t); err != nil {
			return err
		}
	}
	show, end := percentage(cmd, "Writing "+path, 2*int64(len(card)))
	err = flash.Write(cmd.Context(), t, card, yes, show)
	end()
	if err != nil && cmd.Context().Err() == nil {
		return cannotWrite(err)
	}
	return err
}

// errDeclined says that somebody has changed their mind.
var errDeclined = errors.New("nothing was written")

func askToWrite(out io.Writer, in io.Reader, t flash.Target) error {
	fmt.Fprintf(out, "Everything on %v will be lost. Write to it? [y/N] ", t)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(out)
		return errDeclined
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// percentage shows at a terminal how much of something that takes longer than a second is
// done.
func percentage(cmd *cobra.Command, what string, total int64) (show func(done int64), end func()) {
	out, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return nil, func() {}
	}
	start, shown := time.Now(), int64(-1)
	show = func(done int64) {
		if now := 100 * done / total; now != shown && time.Since(start) >= progressAfter {
			shown = now
			fmt.Fprintf(out, "\r\x1b[K%s ... %d %%", what, now)
		}
	}
	return show, func() {
		if shown >= 0 {
			fmt.Fprint(out, "\r\x1b[K")
		}
	}
}
