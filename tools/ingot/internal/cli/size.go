package cli

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ingot.dev/internal/atomicfile"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/sizes"
)

func newSizeCommand() *cobra.Command {
	var flags buildFlags
	var asJSON bool
	var svg string
	var rows int
	cmd := &cobra.Command{
		Use:   "size [PACKAGE|IMAGE.elf]",
		Short: "Say what an image's bytes are made of",
		Long: `size builds a program with its symbols, or takes an image that was built with
--symbols, and divides its bytes among the kernel, Go's runtime, the network, TLS,
the program and so on, and among packages. The symbols themselves are not counted,
since an image that is flashed has none. Without an argument it takes the program
in the current folder, or else Ingot's default firmware.`,
		Example: `  ingot size
  ingot size --svg size.svg ./firmware/cmd/ingot-firmware
  ingot size --config examples/gateway/ingot.toml
  ingot size --json sensor.elf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := flags.program(cmd, args)
			if err != nil {
				return err
			}
			defer p.done()
			what := p.names[0]
			r, err := measure(cmd, &flags, p)
			if err != nil {
				return err
			}
			if svg != "" {
				if err := writeFile(svg, func(w io.Writer) error { return r.WriteSVG(w, what) }); err != nil {
					return err
				}
			}
			if asJSON {
				return answer(cmd, r)
			}
			return printSizes(cmd.OutOrStdout(), r, rows)
		},
	}
	flags.register(cmd.Flags())
	flags.registerConfig(cmd)
	f := cmd.Flags()
	addJSON(cmd, &asJSON)
	f.StringVar(&svg, "svg", "", "also draw a treemap into a `file`")
	cmd.MarkFlagFilename("svg", "svg")
	f.IntVar(&rows, "packages", 20, "list this many packages; 0 for none")
	return cmd
}

// measure builds what it is told to and takes it apart.
func measure(cmd *cobra.Command, flags *buildFlags, p *program) (*sizes.Report, error) {
	if what := p.packages[0]; filepath.Ext(what) == ".elf" {
		if err := isELF(what); err != nil {
			return nil, err
		}
		return sizes.Read(what, 0)
	}
	opt := flags.options(p.packages, "")
	dir, err := image.MainDir(cmd.Context(), opt)
	if err != nil {
		return nil, err
	}
	var r *sizes.Report
	err = working(cmd, "Building "+p.names[0], func() error {
		r, err = measureProgram(cmd.Context(), opt, dir)
		return err
	})
	return r, err
}

// measureProgram builds a program, whose folder is dir, with symbols and takes the image
// apart. opt.Output is not written.
func measureProgram(ctx context.Context, opt image.Options, dir string) (r *sizes.Report, err error) {
	err = withSymbols(ctx, opt, func(file string) error {
		r, err = readSizes(file, dir)
		return err
	})
	return r, err
}

// withSymbols builds a program with its symbols, however large it is, for look to take
// apart. opt.Output is not written.
func withSymbols(ctx context.Context, opt image.Options, look func(file string) error) error {
	temp, err := os.MkdirTemp("", "ingot-size-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	opt.Output = filepath.Join(temp, "image.elf")
	opt.Symbols, opt.NoLimits = true, true
	if _, err := image.Build(ctx, opt); err != nil {
		return err
	}
	return look(opt.Output)
}

// readSizes takes an image apart that has symbols. The program's folder is dir.
func readSizes(file, dir string) (*sizes.Report, error) {
	embedded, err := folderSize(filepath.Join(dir, "certs", "image"))
	if err != nil {
		return nil, err
	}
	return sizes.Read(file, embedded)
}

// isELF refuses a file that is no image at all.
func isELF(name string) error {
	f, err := elf.Open(name)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("not an ELF file (%w); 'ingot build' makes images", err)
		return badInput(fmt.Errorf("%s: %w", name, err))
	}
	return badInput(err)
}

// folderSize adds up the files below dir, which need not be there.
func folderSize(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return total, err
}

// writeFile writes a file whole, or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	return cannotWrite(atomicfile.Write(name, public, write))
}

func printSizes(out io.Writer, r *sizes.Report, rows int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, s sizes.Size) {
		fmt.Fprintf(w, "%d\t%.1f %%\t%d\t%d\t%d\t  %s\n", s.Total(), 100*float64(s.Total())/float64(r.Total.Total()), s.Code, s.Data, s.Tables, name)
	}
	fmt.Fprintf(w, "BYTES\tSHARE\tCODE\tDATA\tTABLES\t  PART\n")
	for _, p := range r.Parts {
		row(p.Name, p.Size)
	}
	row("all", r.Total)
	if rows > 0 {
		fmt.Fprintf(w, "\t\t\t\t\t\nBYTES\tSHARE\tCODE\tDATA\tTABLES\t  PACKAGE\n")
		for _, p := range r.Packages[:min(rows, len(r.Packages))] {
			row(p.Path, p.Size)
		}
	}
	return w.Flush()
}
