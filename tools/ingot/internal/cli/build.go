package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ingot.dev/board/boards"
	"ingot.dev/certs"
	"ingot.dev/tools/image"
	"ingot.dev/tools/ingot/internal/sbom"
)

// buildFlags are the flags of every command that makes an image.
type buildFlags struct {
	board   string
	tags    []string
	goFlags []string
	symbols bool
}

func (f *buildFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.board, "board", boards.Default, "board to build for: "+strings.Join(boards.Names(), ", "))
	flags.StringSliceVar(&f.tags, "tags", nil, "build `tags` in addition to the board's")
	flags.StringArrayVar(&f.goFlags, "go-flag", nil, "a `flag` for go build, such as -gcflags=-N; may be repeated")
	flags.BoolVar(&f.symbols, "symbols", false, "keep the symbol table, and don't check the size")
}

func (f *buildFlags) options(packages []string, output string) image.Options {
	return image.Options{
		Package: packages,
		Output:  output,
		Board:   f.board,
		Tags:    f.tags,
		Symbols: f.symbols,
		Flags:   f.goFlags,
		Go:      os.Getenv("GO"), // as in: make image GO=go1.27.4
	}
}

// imageName is the file name of a program's image: that of its directory or
// first file, or of the current directory for ".".
func imageName(packages []string) (string, error) {
	path := strings.TrimSuffix(packages[0], ".go")
	if base := filepath.Base(path); base == "." || base == ".." {
		var err error
		if path, err = filepath.Abs(path); err != nil {
			return "", err
		}
	}
	return filepath.Base(path) + ".elf", nil
}

func newBuildCommand() *cobra.Command {
	var flags buildFlags
	var output, bill string
	cmd := &cobra.Command{
		Use:   "build PACKAGE|FILE.go...",
		Short: "Build a Go program into an image",
		Long: `build compiles and links a Go program, with the kernel and the board's code,
into an image that boots on the board, and checks its size against the
board's budget. Any main package will do; it needs no changes. If there is a
certificate store in certs/image of the program's folder, which is where 'ingot
certs init' and 'ingot run' keep one, it has to be sound.`,
		Example: `  ingot build ./firmware/cmd/ingot-firmware
  ingot build -o sensor.elf --sbom sensor.cdx.json ./sensor
  ingot build --tags bench -o bench.elf ./firmware/cmd/ingot-firmware`,
		Args: packageArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				var err error
				if output, err = imageName(args); err != nil {
					return err
				}
			}
			opt := flags.options(args, output)
			if err := checkCerts(cmd.Context(), opt); err != nil {
				return err
			}
			im, err := image.Build(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if bill != "" {
				if err := writeBill(cmd.Context(), opt, im, bill); err != nil {
					return err
				}
			}
			fmt.Fprintln(cmd.OutOrStdout(), im)
			return nil
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: the program's name with .elf)")
	cmd.Flags().StringVar(&bill, "sbom", "", "also write a CycloneDX bill of materials to a `file`")
	return cmd
}

// writeBill writes the bill of materials of an image.
func writeBill(ctx context.Context, opt image.Options, im *image.Image, file string) error {
	dir, err := image.MainDir(ctx, opt)
	if err != nil {
		return err
	}
	o := sbom.Options{Image: im.Path, Board: im.Board.Name}
	store := filepath.Join(dir, "certs", "image")
	if _, err := os.Stat(store); err == nil {
		o.Certs = os.DirFS(store)
	}
	return writeFile(file, func(w io.Writer) error { return sbom.Write(w, o) })
}

// checkCerts judges the certificate store in the program's folder, if there is one,
// as the firmware will when it starts.
func checkCerts(ctx context.Context, opt image.Options) error {
	dir, err := image.MainDir(ctx, opt)
	if err != nil {
		return err
	}
	store := filepath.Join(dir, "certs", "image")
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := certs.Inspect(os.DirFS(store), certs.Options{}).Err(); err != nil {
		return fmt.Errorf("the firmware would not start with the certificates in %s: %w", store, err)
	}
	return nil
}

// packageArgs accepts one package, or any number of Go files.
func packageArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which program? Name a package or Go files")
	}
	if len(args) > 1 {
		for _, a := range args {
			if !strings.HasSuffix(a, ".go") {
				return fmt.Errorf("%s: an image is made from one package or from Go files; arguments for the program go behind --", a)
			}
		}
	}
	return nil
}
